/*
 * A program that tries to get out of viaduct exec. With no argument it lists its attempts, each
 * with the status it must end with; with a name it makes that attempt. Exit 0: refused as it should
 * be; 1: not refused. Those of the CPU end by a signal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define KERNEL   ((void *)0xffff800000000000ul) /* where viaduct has the GDT */
#define TOP      0x7d0000000000ul
#define DIE(sig) (128 + (sig))
static int bad;

static void want(const char *what, long r, int err)
{
    if (r == -1 && errno == err)
        return;
    printf("not refused: %s: %ld, %s\n", what, r, r == -1 ? strerrorname_np(errno) : "no error");
    bad = 1;
}
#define WANT(x, err) want(#x, (long)(x), err)

/* No file outside is reached: whatever the error, nothing is opened. */
static void closed(const char *path, int flags)
{
    int fd = open(path, flags, 0600);

    if (fd >= 0) {
        printf("not refused: open %s\n", path);
        bad = 1;
    }
}

static void names(void)
{
    static const char *const path[] = {"../secret",
                                       "/../secret",
                                       "../../../../../../../../etc/passwd",
                                       "/etc/passwd",
                                       "out",
                                       "abs",
                                       "outdir/secret",
                                       "dir/../../secret",
                                       "dir/up/secret",
                                       "loop",
                                       "/proc/self/exe",
                                       "/proc/self/mem",
                                       "/proc/self/root/etc/passwd",
                                       "/proc/self/fd/0",
                                       "/dev/mem",
                                       "/dev/kmem",
                                       "/dev/tty",
                                       "/dev/fd/0",
                                       "dev_null",
                                       "socket",
                                       "/dev/vdz",
                                       "/dev/vda",
                                       "procexe"};

    for (size_t i = 0; i < sizeof(path) / sizeof(*path); i++) {
        closed(path[i], O_RDONLY);
        closed(path[i], O_WRONLY);
        closed(path[i], O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    }
}

static void dirfds(void)
{
    int d = open("dir", O_PATH | O_DIRECTORY), e = open("dir", O_RDONLY), r = open("/", O_PATH);

    WANT(openat(d, "../../secret", O_RDONLY), ENOENT);
    WANT(openat(e, "../../secret", O_RDONLY), ENOENT);
    WANT(openat(r, "../secret", O_RDONLY), ENOENT);
    WANT(openat(r, "/../secret", O_RDONLY), ENOENT);
    WANT(openat(77, "x", O_RDONLY), EBADF);
    fchdir(e), chdir(".."), chdir(".."), chdir("..");
    WANT(open("secret", O_RDONLY), ENOENT);
    WANT(open("../secret", O_RDONLY), ENOENT);
    WANT(read(d, &d, 1), EBADF);
    WANT(syscall(SYS_getdents64, d, &d, 4), EBADF);
}

static void changes(void)
{
    rename("f", "../f2"), rename("f2", "f"); /* .. of the root is the root */
    WANT(link("f", "outdir/f"), ENOENT);
    WANT(rename("f", "outdir/f"), ENOENT);
    WANT(mkdir("outdir/new", 0700), ENOENT);
    WANT(open("outdir/new", O_CREAT | O_WRONLY, 0600), ENOENT);
    WANT(unlink("../secret"), ENOENT);
    WANT(unlink("outdir/secret"), ENOENT);
    WANT(truncate("abs", 0), ENOENT);
    WANT(chmod("out", 0777), ENOENT);
    WANT(rmdir(".."), EINVAL);
    WANT(mkdir("..", 0700), EINVAL);
    WANT(rename("dir/..", "y"), EINVAL);
    WANT(symlink("/etc/passwd", "../z/z"), ENOENT);
    WANT(mknod("n", S_IFCHR | 0600, 0x103), ENOSYS);
    WANT(chroot("dir"), ENOSYS);
}

static void fifo(void) /* neither hangs nor is a way to anybody */
{
    char b;
    int fd = open("fifo", O_RDONLY);

    if (fd < 0 || read(fd, &b, 1) != 0)
        bad = 1;
    close(fd);
    WANT(open("fifo", O_WRONLY), ENXIO);
}

static void calls(void)
{
    static const long nr[] = {SYS_ptrace,
                              SYS_socket,
                              SYS_connect,
                              SYS_execve,
                              SYS_execveat,
                              SYS_fork,
                              SYS_vfork,
                              SYS_clone,
                              SYS_clone3,
                              SYS_mount,
                              SYS_umount2,
                              SYS_pivot_root,
                              SYS_setns,
                              SYS_unshare,
                              SYS_iopl,
                              SYS_ioperm,
                              SYS_modify_ldt,
                              SYS_bpf,
                              SYS_io_uring_setup,
                              SYS_open_by_handle_at,
                              SYS_init_module,
                              SYS_kexec_load,
                              SYS_process_vm_readv,
                              SYS_process_vm_writev,
                              SYS_userfaultfd,
                              SYS_memfd_create,
                              SYS_perf_event_open,
                              SYS_personality,
                              SYS_seccomp,
                              SYS_setuid,
                              SYS_setgroups,
                              SYS_shmget,
                              SYS_shmat,
                              SYS_keyctl,
                              SYS_reboot,
                              SYS_swapon,
                              SYS_timer_create,
                              SYS_eventfd2,
                              SYS_epoll_create1,
                              SYS_inotify_init,
                              SYS_mknodat,
                              SYS_splice,
                              SYS_vmsplice,
                              SYS_openat2,
                              SYS_pidfd_open,
                              SYS_name_to_handle_at,
                              SYS_rt_sigreturn,
                              SYS_remap_file_pages,
                              335,
                              511,
                              512,
                              1000,
                              0x40000000 | SYS_write,
                              0x7fffffff,
                              0xffffffff};

    for (size_t i = 0; i < sizeof(nr) / sizeof(*nr); i++) {
        errno = 0;
        want("a call", syscall(nr[i], 0, 0, 0, 0, 0, 0), ENOSYS);
    }
    /* Nobody else is there to be hurt. */
    WANT(kill(1, SIGKILL), ESRCH), WANT(kill(getppid(), SIGKILL), ESRCH), WANT(kill(-1, 9), ESRCH);
    WANT(syscall(SYS_tgkill, 1, 1, 9), ESRCH);
    WANT(syscall(SYS_prlimit64, 1, 7, 0, 0), ESRCH);
    WANT(ioctl(0, 0x5412, "x"), ENOTTY); /* TIOCSTI */
}

static void pointers(void)
{
    static char buf[8192];
    int fd = open("scratch", O_RDWR | O_CREAT, 0600);
    void *const where[] = {KERNEL,
                           (void *)-1l,
                           (void *)-4096l,
                           (void *)0x800000000000ul,
                           (void *)(TOP - 2),
                           (void *)TOP,
                           (void *)0x7fffffffffff0000ul,
                           (void *)8,
                           NULL};

    for (size_t i = 0; i < sizeof(where) / sizeof(*where); i++) {
        struct iovec v = {where[i], 4096};

        WANT(syscall(SYS_read, fd, where[i], 4096), EFAULT);
        WANT(syscall(SYS_write, fd, where[i], 4096), EFAULT);
        WANT(syscall(SYS_pread64, fd, where[i], -1l, 0), EFAULT);
        WANT(syscall(SYS_readv, fd, &v, 1), EFAULT);
        WANT(syscall(SYS_writev, fd, where[i], 1), EFAULT);
        WANT(syscall(SYS_open, where[i], O_RDONLY), EFAULT);
        WANT(syscall(SYS_fstat, fd, where[i]), EFAULT);
        WANT(syscall(SYS_uname, where[i]), EFAULT);
        WANT(syscall(SYS_pipe, where[i]), EFAULT);
        WANT(syscall(SYS_getrandom, where[i], 16, 0), EFAULT);
        WANT(syscall(SYS_poll, where[i], 2, 0), EFAULT);
        WANT(syscall(SYS_getdents64, open("dir", O_RDONLY), where[i], 4096), EFAULT);
    }
    if (syscall(SYS_write, fd, buf, -1l) > 1 << 20) /* as far as its memory goes, at the most */
        bad = 1;
    WANT(syscall(SYS_writev, fd, buf, 1025), EINVAL);
    WANT(syscall(SYS_pread64, open("/dev/zero", O_RDONLY), buf, 4096, INT64_MAX), EINVAL);
    WANT(syscall(SYS_pwrite64, fd, buf, 1, -1l), EINVAL);
    WANT(syscall(SYS_poll, buf, 100000, 0), EINVAL);
    WANT(syscall(SYS_select, 100000, buf, 0, 0, 0), EINVAL);
}

static void mappings(void)
{
    unsigned long top = TOP;
    int fix = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
    char *p = mmap(NULL, 8192, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    WANT(mmap(KERNEL, 4096, rw, fix, -1, 0), ENOMEM);
    WANT(mmap((void *)top, 4096, rw, fix, -1, 0), ENOMEM);
    WANT(mmap((void *)(top - 4096), 8192, rw, fix, -1, 0), ENOMEM);
    WANT(mmap((void *)-4096l, 4096, rw, fix, -1, 0), ENOMEM);
    WANT(mmap((void *)0, 4096, rw, fix, -1, 0), EPERM);
    WANT(mmap((void *)4096, 1l << 62, rw, fix, -1, 0), ENOMEM);
    WANT(mmap(p + 1, 4096, rw, fix, -1, 0), EINVAL);
    WANT(mmap(NULL, -1ul, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    WANT(mmap(NULL, 1ul << 46, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    WANT(mmap(NULL, 4096, 0x1000007, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    WANT(munmap(KERNEL, 4096), EINVAL);
    WANT(munmap((void *)-4096l, 8192), EINVAL);
    WANT(munmap(p, -4096ul), EINVAL);
    WANT(mprotect(KERNEL, 4096, rw), EINVAL);
    WANT(mprotect((void *)(top - 4096), 8192, rw), EINVAL);
    WANT(mremap(KERNEL, 4096, 8192, MREMAP_MAYMOVE), EFAULT);
    WANT(mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, KERNEL), EINVAL);
    WANT(mremap(p, 8192, -4096ul, MREMAP_MAYMOVE), ENOMEM);
    WANT(madvise(KERNEL, 4096, MADV_DONTNEED), EINVAL);
    WANT(syscall(SYS_arch_prctl, 0x1002, KERNEL), EPERM);
    if (syscall(SYS_brk, KERNEL) != syscall(SYS_brk, 0) ||
        syscall(SYS_brk, -1l) != syscall(SYS_brk, 0))
        bad = 1;
    *(volatile char *)p = 1; /* still whole */
}

static void limits(void)
{
    int n = 0, fd;
    char *p = NULL, *q;

    while ((fd = dup(0)) >= 0)
        n++;
    want("a descriptor too many", fd, EMFILE);
    bad |= n < 200 || n > 1000;
    for (n = 0; n < 100000; n++) { /* one area each: the rights differ */
        q = mmap(NULL, 4096, n & 1 ? PROT_READ : PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (q == MAP_FAILED)
            break;
        p = q;
    }
    bad |= errno != ENOMEM || n < 500 || n > 2000;
    munmap(p, 4096);
    for (int i = 600; i < 1400; i++) /* more kinds than there are lines for */
        syscall(i);
}

static void too_much(void)
{
    char *p = malloc(60ul << 20), *q;

    memset(p, 1, 60ul << 20);
    for (int i = 0; i < 10; i++)
        q = malloc(40ul << 20), memset(q, 1, 40ul << 20);
}

static int deeper(volatile int *p)
{
    volatile int here[1000];

    here[0] = p ? *p : 1;
    return deeper(here) + here[0];
}

static void deep(void)
{
    deeper(NULL);
}

/* ---- what the CPU refuses ---- */
#define INSN(name, code)                                                                           \
    static void name(void)                                                                         \
    {                                                                                              \
        __asm__ volatile(code);                                                                    \
    }
INSN(peek, "movabs $0xffff800000000000, %rax\n mov (%rax), %rbx")
INSN(poke, "movabs $0xffff800000000000, %rax\n movq $-1, 32(%rax)")
INSN(jump, "movabs $0xffff800000000000, %rax\n jmp *%rax")
INSN(odd_peek, "movabs $0x8000000000000000, %rax\n mov (%rax), %rbx")
INSN(cli, "cli")
INSN(hlt, "hlt")
INSN(inb, "in $0x64, %al")
INSN(outb, "mov $0xfe, %al\n out %al, $0x64")
INSN(insb, "mov $0x1f0, %edx\n mov %rsp, %rdi\n rep insw")
INSN(iopl, "pushf\n orq $0x3000, (%rsp)\n popf\n out %al, $0x80")
INSN(rdmsr, "mov $0xc0000082, %ecx\n rdmsr")
INSN(wrmsr, "mov $0xc0000082, %ecx\n wrmsr")
INSN(cr3, "mov %cr3, %rax")
INSN(cr0, "xor %eax, %eax\n mov %rax, %cr0")
INSN(dr7, "mov %rax, %dr7")
INSN(lgdt, "lgdt -16(%rsp)")
INSN(lidt, "lidt -16(%rsp)")
INSN(lldt, "mov $40, %eax\n lldt %ax")
INSN(ltr, "mov $40, %eax\n ltr %ax")
INSN(invlpg, "invlpg (%rsp)")
INSN(swapgs, "swapgs")
INSN(sysret, "mov $0x1000, %ecx\n sysretq")
INSN(sysexit, "sysexit")
INSN(wbinvd, "wbinvd")
INSN(vmcall, "vmcall")
INSN(vmmcall, "vmmcall")
INSN(wrfsbase, "wrfsbase %rax")
INSN(int80, "mov $1, %eax\n int $0x80")
INSN(sysenter, "mov $1, %eax\n sysenter")
INSN(int81, "int $0x81")
INSN(int_pf, "int $14")
INSN(int_df, "int $8")
INSN(iret_ring0, "mov %rsp, %rax\n push $0\n push %rax\n pushf\n push $0x30\n lea 1f(%rip), %rbx\n "
                 "push %rbx\n iretq\n 1:")
INSN(iret_code32,
     "mov %rsp, %rax\n push $0x2b\n push %rax\n pushf\n push $0x23\n push $1f\n iretq\n 1: nop")
INSN(retf_ring0, "push $0x30\n lea 1f(%rip), %rbx\n push %rbx\n lretq\n 1:")
INSN(retf_code32, "push $0x23\n lea 1f(%rip), %rbx\n push %rbx\n lretq\n 1:")
INSN(callf, "push $0x23\n push $0\n lcall *(%rsp)")
INSN(mov_ss, "mov $0x10, %eax\n mov %ax, %ss")
INSN(mov_ds, "mov $0x33, %eax\n mov %ax, %gs\n mov $0x2b, %eax\n mov %ax, %gs")
INSN(mov_ldt, "mov $0x0f, %eax\n mov %ax, %ds")
INSN(ud2, "ud2")
INSN(nx, "movl $0xc3c3c3c3, -64(%rsp)\n lea -64(%rsp), %rax\n jmp *%rax")
INSN(text, "lea 1f(%rip), %rax\n movb $0x90, (%rax)\n 1: nop")
INSN(divide, "xor %ecx, %ecx\n div %ecx")
INSN(trap, "int3")
INSN(single, "pushf\n orq $0x100, (%rsp)\n popf\n nop\n nop")
INSN(align, "pushf\n orq $0x40000, (%rsp)\n popf\n lea -64(%rsp), %rax\n mov 1(%rax), %rbx")

/* ---- engine direct's monitor, which is within reach of a program's addresses ---- */
#define MONITOR ((unsigned char *)0x7d0000000000ul)
#define SHARED  ((unsigned long *)0x7e0000000000ul)

static void by_monitor(long nr, long a, long b, long c, long d, long e, long f)
{
    unsigned char *p = MONITOR;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long r;

    while (p[0] != 0x0f || p[1] != 0x05 || p[2] != 0xc3) /* syscall; ret */
        p++;
    __asm__ volatile("call *%1"
                     : "=a"(r)
                     : "r"(p), "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    printf("the host's system call %ld said %ld\n", nr, r);
    bad = 1;
}

static void host_getpid(void)
{
    by_monitor(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static void host_fork(void)
{
    by_monitor(SYS_fork, 0, 0, 0, 0, 0, 0);
}

static void host_execve(void)
{
    by_monitor(SYS_execve, (long)"/bin/sh", 0, 0, 0, 0, 0);
}

static void host_open(void)
{
    by_monitor(SYS_open, (long)"/etc/passwd", 0, 0, 0, 0, 0);
}

static void host_memory(void) /* more than it was given */
{
    by_monitor(SYS_mmap, 0x10000000, 1l << 30, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void host_tables(void) /* page tables */
{
    by_monitor(SYS_mmap, 0x10000000, 4096, 3, MAP_SHARED | MAP_FIXED, 4, 4096);
}

static void host_shared(void) /* another descriptor */
{
    by_monitor(SYS_mmap, 0x10000000, 4096, 3, MAP_SHARED | MAP_FIXED, 3, 1 << 24);
}

static void host_mprotect(void)
{
    by_monitor(SYS_mprotect, (long)MONITOR, 4096, 7, 0, 0, 0);
}

static void scribble(void)
{
    for (unsigned i = 1; i < 0x20000 / 8; i++) /* all but whose turn it is */
        SHARED[i] = 0x4141414141414141ul * (i & 1) + i;
    getpid();
    getpid();
}

static const struct attempt {
    const char *name;
    void (*run)(void);
    int status;
} all[] = {
    {"host_getpid", host_getpid, DIE(SIGSEGV)},
    {"host_fork", host_fork, DIE(SIGSEGV)},
    {"host_execve", host_execve, DIE(SIGSEGV)},
    {"host_open", host_open, DIE(SIGSEGV)},
    {"host_memory", host_memory, DIE(SIGSEGV)},
    {"host_tables", host_tables, DIE(SIGSEGV)},
    {"host_shared", host_shared, DIE(SIGSEGV)},
    {"host_mprotect", host_mprotect, DIE(SIGSEGV)},
    {"scribble", scribble, DIE(SIGSEGV)},
    {"names", names, 0},
    {"dirfds", dirfds, 0},
    {"changes", changes, 0},
    {"fifo", fifo, 0},
    {"calls", calls, 0},
    {"pointers", pointers, 0},
    {"mappings", mappings, 0},
    {"limits", limits, 0},
    {"too_much", too_much, DIE(SIGKILL)},
    {"deep", deep, DIE(SIGSEGV)},
    {"peek", peek, DIE(SIGSEGV)},
    {"poke", poke, DIE(SIGSEGV)},
    {"jump", jump, DIE(SIGSEGV)},
    {"odd_peek", odd_peek, DIE(SIGSEGV)},
    {"cli", cli, DIE(SIGSEGV)},
    {"hlt", hlt, DIE(SIGSEGV)},
    {"inb", inb, DIE(SIGSEGV)},
    {"outb", outb, DIE(SIGSEGV)},
    {"insb", insb, DIE(SIGSEGV)},
    {"iopl", iopl, DIE(SIGSEGV)},
    {"rdmsr", rdmsr, DIE(SIGSEGV)},
    {"wrmsr", wrmsr, DIE(SIGSEGV)},
    {"cr3", cr3, DIE(SIGSEGV)},
    {"cr0", cr0, DIE(SIGSEGV)},
    {"dr7", dr7, DIE(SIGSEGV)},
    {"lgdt", lgdt, DIE(SIGSEGV)},
    {"lidt", lidt, DIE(SIGSEGV)},
    {"lldt", lldt, DIE(SIGSEGV)},
    {"ltr", ltr, DIE(SIGSEGV)},
    {"invlpg", invlpg, DIE(SIGSEGV)},
    {"swapgs", swapgs, DIE(SIGSEGV)},
    {"sysret", sysret, DIE(SIGSEGV)},
    {"sysexit", sysexit, DIE(SIGSEGV)},
    {"wbinvd", wbinvd, DIE(SIGSEGV)},
    {"vmcall", vmcall, DIE(SIGSEGV)},
    {"vmmcall", vmmcall, DIE(SIGSEGV)},
    {"wrfsbase", wrfsbase, DIE(SIGILL)},
    {"int80", int80, DIE(SIGSYS)},
    {"sysenter", sysenter, DIE(SIGSYS)},
    {"int81", int81, DIE(SIGSEGV)},
    {"int_pf", int_pf, DIE(SIGSEGV)},
    {"int_df", int_df, DIE(SIGSEGV)},
    {"iret_ring0", iret_ring0, DIE(SIGSEGV)},
    {"iret_code32", iret_code32, DIE(SIGSEGV)},
    {"retf_ring0", retf_ring0, DIE(SIGSEGV)},
    {"retf_code32", retf_code32, DIE(SIGSEGV)},
    {"callf", callf, DIE(SIGSEGV)},
    {"mov_ss", mov_ss, DIE(SIGSEGV)},
    {"mov_ds", mov_ds, 0},
    {"mov_ldt", mov_ldt, DIE(SIGSEGV)},
    {"ud2", ud2, DIE(SIGILL)},
    {"nx", nx, DIE(SIGSEGV)},
    {"text", text, DIE(SIGSEGV)},
    {"divide", divide, DIE(SIGFPE)},
    {"trap", trap, DIE(SIGTRAP)},
    {"single", single, DIE(SIGTRAP)},
    {"align", align, DIE(SIGBUS)},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (argc < 2)
            printf("%s %d\n", all[i].name, all[i].status);
        else if (!strcmp(argv[1], all[i].name))
            all[i].run();
    return bad;
}
