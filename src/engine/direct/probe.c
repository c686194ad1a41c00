/* Can this host make a cage? One is made, and ended. */
#include "core/error.h"
#include "engine/direct/direct.h"
#include "mem/ram.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>

static void no_trap(void *ctx, unsigned vcpu, struct trap *t)
{
    (void)ctx;
    (void)vcpu;
    t->value = 0;
}

struct attempt {
    struct engine *e;
    struct trap *end;
};

static void *run_main(void *arg)
{
    struct attempt *a = arg;

    engine_direct.run(a->e, 0, a->end);
    return NULL;
}

/* A thread that has run a vCPU is good for nothing else: its signals are blocked. */
static int run_apart(struct engine *e, struct trap *end, struct error *err)
{
    struct attempt a = {e, end};
    pthread_t t;
    int rc = pthread_create(&t, NULL, run_main, &a);

    if (rc)
        return error_set(err, -rc, "engine direct: no thread to try it: %s", strerror(rc));
    pthread_join(t, NULL);
    return 0;
}

/* mov $42, %eax; hlt: of a whole guest, in 1 MiB. */
static int try(struct ram *ram, struct error *err)
{
    static const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xf4};
    const struct engine_env env = {.ram = ram, .vcpus = 1, .trap = no_trap, .tsc_hz = 1000000000};
    struct cpu_regs r = {.rip = 0x8000, .rflags = 2, .cr0 = CR0_PE | CR0_ET};
    struct trap end = {0};
    struct engine *e;
    int rc = engine_direct.open(&e, &env, err);

    if (rc)
        return rc;
    memcpy(ram_ptr(ram, 0x8000, sizeof(code)), code, sizeof(code));
    for (unsigned i = 0; i < 6; i++)
        r.seg[i] = (struct cpu_seg){.sel = 8, .attr = 0xc093, .limit = UINT32_MAX};
    r.seg[SEG_CS].attr = 0xc09b;
    engine_direct.set_regs(e, 0, &r);
    rc = run_apart(e, &end, err);
    engine_direct.get_regs(e, 0, &r);
    engine_direct.close(e);
    if (rc)
        return rc;
    if (end.kind == TRAP_HALT && r.gpr[REG_RAX] == 42)
        return 0;
    return error_set(err, -ENOTSUP, "user-mode execution does not work on this host: %s",
                     end.why[0] ? end.why : "a first guest did not do what it should");
}

int direct_probe(struct error *err)
{
    struct ram ram;
    int rc = ram_open(&ram, 1 << 20);

    if (rc)
        return error_set(err, rc, "engine direct: no memory to try it: %s", strerror(-rc));
    rc = try(&ram, err);
    ram_close(&ram);
    return rc;
}
