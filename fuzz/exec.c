/*
 * viaduct exec without an engine: a program file, then its traps. First byte: which program (i386,
 * x86-64, or one made of the bytes that follow), then calls and faults with arguments drawn from
 * what matters: addresses of its memory and outside of it, descriptors, flags, small numbers. After
 * few the address space must be sane. It has a read-only root, a RAM disk and pipes.
 */
#include "core/cpu_regs.h"
#include "core/error.h"
#include "engine/engine.h"
#include "exec/exec.h"
#include "exec/prog.h"
#include "input.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS  64 /* traps an input may cause */
#define PROGRAM 0x400000u
#define DATA    0x401000u /* two writable pages of the program */

/* An engine that runs nothing and remembers whom to tell of traps. */
struct engine {
    struct engine_env env;
};

static int fake_open(struct engine **out, const struct engine_env *env, struct error *err)
{
    (void)err;
    *out = calloc(1, sizeof(**out));
    PROMISE(*out);
    (*out)->env = *env;
    return 0;
}

static void fake_close(struct engine *e)
{
    free(e);
}

static void fake_get(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    (void)e;
    (void)vcpu;
    memset(r, 0, sizeof(*r));
}

static void fake_set(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    (void)e;
    (void)vcpu;
    (void)r;
}

static enum trap_rip fake_trap_regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    fake_get(e, vcpu, r);
    return TRAP_RIP_AT;
}

static void fake_kick(struct engine *e, unsigned vcpu, bool stop)
{
    (void)e;
    (void)vcpu;
    (void)stop;
}

static const struct engine_ops fake = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .get_regs = fake_get,
    .set_regs = fake_set,
    .trap_regs = fake_trap_regs,
    .trap_resume = fake_set,
    .kick = fake_kick,
    .programs = ENGINE_AMD64 | ENGINE_I386,
};

/* A program of one segment of text and one of data. */
static size_t small_elf(uint8_t *b, bool is64)
{
    size_t ph = is64 ? 64 : 52, each = is64 ? 56 : 32;

    memset(b, 0, 256);
    memcpy(b, is64 ? "\177ELF\2\1\1" : "\177ELF\1\1\1", 7);
    le16_put(b + 16, 2), le16_put(b + 18, is64 ? 62 : 3);
    le32_put(b + 24, PROGRAM), le32_put(b + (is64 ? 32 : 28), (uint32_t)ph);
    le16_put(b + (is64 ? 54 : 42), (uint16_t)each), le16_put(b + (is64 ? 56 : 44), 2);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *p = b + ph + i * each;

        le32_put(p, 1);
        le32_put(p + (is64 ? 4 : 24), i ? 6 : 5);
        le32_put(p + (is64 ? 16 : 8), i ? DATA : PROGRAM);
        le32_put(p + (is64 ? 32 : 16), i ? 0 : 200);
        le32_put(p + (is64 ? 40 : 20), i ? 0x2000 : 200);
    }
    return 256;
}

static uint64_t argument(struct input *in)
{
    static const uint64_t where[] = {
        0,       PROGRAM,        DATA,       DATA + 0x800,       DATA + 0x1ff0, DATA + 0x2000,
        0x10000, 0x7ffffffff000, 0xffffe000, 0xffff800000000000, UINT64_MAX,    0x1000000};
    uint8_t kind = take_u8(in);

    switch (kind & 7) {
    case 0:
    case 1: return where[(kind >> 3) % ARRAY_LEN(where)];
    case 2: return kind >> 3;           /* descriptors, small lengths */
    case 3: return 1ull << (kind >> 3); /* flags */
    case 4: return take_u16(in);
    case 5: return (uint64_t)(int64_t)(int8_t)(kind >> 3 | 0xe0);
    case 6: return (uint64_t)take_u16(in) << 12; /* pages */
    default: return DATA + (take_u16(in) & 0x1fff);
    }
}

/* Those that wait would, or change viaduct's own terminal or clock. */
static bool waits(const char *name)
{
    static const char *const word[] = {"sleep", "poll", "select", "futex", "umask"};

    for (unsigned i = 0; i < ARRAY_LEN(word); i++)
        if (strstr(name, word[i]))
            return true;
    return false;
}

static void one_call(struct prog *p, struct input *in)
{
    struct trap t = {.kind = TRAP_CALL, .count = 1};
    uint16_t nr = take_u16(in) % (PROG_CALLS_MAX + 8);

    t.size = p->abi->word == 8 ? TRAP_SYSCALL : nr & 1 ? TRAP_INT80 : TRAP_SYSENTER;
    t.value = nr;
    for (unsigned i = 0; i < 6; i++)
        t.hcall[i] = argument(in);
    if (p->abi->word == 4)
        for (unsigned i = 0; i < 6; i++)
            t.hcall[i] = (uint32_t)t.hcall[i];
    if (nr < p->abi->calls && p->abi->call[nr].name && waits(p->abi->call[nr].name))
        return;
    prog_trap(p, 0, &t);
}

static void one_fault(struct prog *p, struct input *in)
{
    struct trap t = {.kind = TRAP_FAULT, .count = 1, .size = 4, .value = 14};

    t.hcall[0] = take_u8(in) & 0x17;
    t.hcall[1] = argument(in);
    prog_trap(p, 0, &t);
}

/* Bytes of the input into the program's memory: names, iovecs, structures. */
static void fill(struct prog *p, struct input *in)
{
    uint64_t at = DATA + (take_u16(in) & 0x1fff);
    uint8_t b[64];
    size_t n = take_u8(in) % sizeof(b);

    for (size_t i = 0; i < n; i++)
        b[i] = take_u8(in);
    space_write(&p->space, at, b, n);
}

static void traps(struct exec *x, struct input *in)
{
    struct prog *p = exec_prog(x);

    for (unsigned i = 0; i < EVENTS && in->len; i++) {
        switch (take_u8(in) % 4) {
        case 0: one_fault(p, in); break;
        case 1: fill(p, in); break;
        default: one_call(p, in); break;
        }
        p->ended = p->space.stale = false;
        if (i % 8 == 7)
            PROMISE(space_sane(&p->space));
    }
    PROMISE(space_sane(&p->space));
}

static char dir[32];

static void root_remove(void)
{
    static const char *const made[] = {"f", "l", "d", ""};
    char name[64];

    for (unsigned i = 0; i < ARRAY_LEN(made); i++) {
        snprintf(name, sizeof(name), "%s/%s", dir, made[i]);
        remove(name);
    }
}

static const char *root_make(void)
{
    char name[64];
    int fd;

    if (*dir)
        return dir;
    snprintf(dir, sizeof(dir), "/tmp/fuzz-exec-XXXXXX");
    PROMISE(mkdtemp(dir));
    atexit(root_remove);
    snprintf(name, sizeof(name), "%s/f", dir);
    fd = open(name, O_CREAT | O_WRONLY, 0600);
    PROMISE(fd >= 0 && write(fd, name, 20) == 20);
    close(fd);
    snprintf(name, sizeof(name), "%s/l", dir);
    PROMISE(!symlink("../../etc/passwd", name));
    snprintf(name, sizeof(name), "%s/d", dir);
    PROMISE(!mkdir(name, 0700));
    return dir;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {data, len};
    uint8_t which = take_u8(&in) % 3, elf[256];
    char name[32], *argv[] = {name, NULL}, *envp[] = {NULL};
    struct exec_setup s = {.engine = &fake,
                           .program = name,
                           .argv = argv,
                           .envp = envp,
                           .root = root_make(),
                           .root_readonly = true,
                           .memory = EXEC_MEMORY_MIN,
                           .disk = {{.path = "mem:64K"}},
                           .disks = 1};
    const uint8_t *file = which == 2 ? in.p : elf;
    size_t size = which == 2 ? in.len : small_elf(elf, which);
    int fd = memfd_create("program", MFD_CLOEXEC);
    struct error err;
    struct exec *x;

    PROMISE(fd >= 0 && write(fd, file, size) == (ssize_t)size);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    if (!exec_open(&x, &s, &err)) {
        PROMISE(space_sane(&exec_prog(x)->space));
        for (int i = 0; i < 3; i++)
            file_close(&exec_prog(x)->files, i);
        traps(x, &in);
        exec_close(x);
    } else {
        PROMISE(which == 2 && err.text[0]);
    }
    close(fd);
    return 0;
}
