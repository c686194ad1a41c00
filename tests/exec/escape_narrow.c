/*
 * Attempts of 32-bit code: by the host's 64-bit code segment, which on engine direct is there, by
 * the calls and pages that only 32-bit programs have, and by pointers at the end of 32 bits.
 */
#ifdef __i386__
#define _GNU_SOURCE
#include "escape.h"
#include <asm/ldt.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESC_PAGE 0xfffff000u /* where engine direct hands descriptors to its kernel */

/* Code that runs as 64-bit code, if there is a way to. */
#define WIDE(name, code)                                                                           \
    static void name(void)                                                                         \
    {                                                                                              \
        __asm__ volatile("ljmp $0x33, $1f\n .code64\n 1:\n" code "\n hlt\n .code32");              \
    }
#define INSN(name, code)                                                                           \
    static void name(void)                                                                         \
    {                                                                                              \
        __asm__ volatile(code);                                                                    \
    }
WIDE(wide_nothing, "")
WIDE(wide_syscall, "mov $39, %eax\n syscall")
WIDE(wide_int80, "mov $20, %eax\n int $0x80")
WIDE(wide_above, "movabs $0x100000000, %rax\n movq $1, (%rax)")
WIDE(wide_text, "movabs $0x7d0000000000, %rax\n movb $0x90, (%rax)")
WIDE(wide_scribble, "movabs $0x7e0000000008, %rdi\n mov $0x3ff0, %ecx\n mov $0x41, %eax\n"
                    "cld\n rep stosb")
/* The monitor's own INT 0x80, found by its bytes: getpid, and set_thread_area of other memory. */
#define FIND80 "movabs $0x7d0000000000, %rdx\n 2: inc %rdx\n cmpw $0x80cd, (%rdx)\n jne 2b\n"
WIDE(wide_monitor80, FIND80 "mov $20, %eax\n jmp *%rdx")
WIDE(wide_monitor_tls, FIND80 "mov $243, %eax\n mov %esp, %ebx\n jmp *%rdx")
WIDE(wide_monitor_prctl, "movabs $0x7d0000000000, %rdx\n 2: inc %rdx\n cmpl $0xc3050f, (%rdx)\n"
                         "je 3f\n cmpw $0x50f, (%rdx)\n jne 2b\n 3: mov $158, %eax\n"
                         "mov $0x1002, %edi\n jmp *%rdx")
INSN(far_wide, "push $0x33\n push $1f\n lret\n 1: nop")
INSN(iret_wide, "pushf\n push $0x33\n push $1f\n iret\n 1: nop")
INSN(far_ring0, "push $0x10\n push $1f\n lret\n 1: nop")
INSN(fast_call, "mov $20, %eax\n syscall")
INSN(sysenter_nowhere, "mov $20, %eax\n mov $8, %ebp\n sysenter")
INSN(sysenter_high, "mov $20, %eax\n mov $0xfffffffe, %ebp\n sysenter")
INSN(load_ldt, "mov $0x0f, %eax\n mov %ax, %gs")
INSN(load_tss, "mov $0x40, %eax\n mov %ax, %gs")
INSN(load_free, "mov $0x73, %eax\n mov %ax, %gs")
INSN(null_data, "xor %eax, %eax\n mov %ax, %ds\n mov (%esp), %eax\n mov %eax, 0x8048000")

static void desc_page(void)
{
    *(volatile int *)DESC_PAGE = 1;
}

static void descriptor(int entry, unsigned bits, int err)
{
    struct user_desc d = {.entry_number = (unsigned)entry, .base_addr = 0x1000, .limit = 1};

    memcpy((char *)&d + 12, &bits, sizeof(bits));
    want("a descriptor", syscall(SYS_set_thread_area, &d), err);
}

static void descriptors(void)
{
    static const int entry[] = {-2, 0, 2, 4, 6, 11, 15, 16, 0x1000, 0x7fffffff};

    for (unsigned i = 0; i < sizeof(entry) / sizeof(*entry); i++)
        descriptor(entry[i], 1, EINVAL);
    descriptor(13, 0, EINVAL);          /* 16-bit */
    descriptor(13, 1 | 2 << 1, EINVAL); /* code */
    descriptor(13, 1 | 3 << 1, EINVAL);
    descriptor(13, 1 | 1 << 5, EINVAL); /* not present */
    WANT(syscall(SYS_set_thread_area, 0), EFAULT);
    WANT(syscall(SYS_set_thread_area, 0xfffffff8), EFAULT);
    WANT(syscall(SYS_modify_ldt, 1, 0, 16), ENOSYS);
}

/* A descriptor over all of 4 GiB, used past the end of the program's addresses. */
static void wrap(void)
{
    struct user_desc d = {.entry_number = 13, .base_addr = 0xffffe000, .limit = 0xfffff};

    d.seg_32bit = d.limit_in_pages = 1;
    if (syscall(SYS_set_thread_area, &d))
        escaped("no descriptor", -1);
    __asm__ volatile("mov $0x6b, %%eax\n mov %%ax, %%gs\n movl $1, %%gs:0" ::: "eax");
}

static void far_pointers(void)
{
    static const unsigned where[] = {0xfffffffc, 0xfffff000, 0xffffe000, 0xffffdffe, 8, 0};
    int fd = open("scratch", O_RDWR | O_CREAT, 0600), rw = PROT_READ | PROT_WRITE;

    for (unsigned i = 0; i < sizeof(where) / sizeof(*where); i++) {
        struct iovec v = {(void *)where[i], 0x7fffffff};

        WANT(syscall(SYS_read, fd, where[i], 4096), EFAULT);
        WANT(syscall(SYS_write, fd, where[i], -1), EFAULT);
        WANT(syscall(SYS_writev, fd, &v, 1), EFAULT);
        WANT(syscall(SYS_readv, fd, where[i], 1), EFAULT);
        WANT(syscall(SYS_uname, where[i]), EFAULT);
        WANT(syscall(SYS_mmap, where[i]), EFAULT);
    }
    WANT(mmap((void *)DESC_PAGE, 4096, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
    WANT(mmap((void *)0xffffd000, 8192, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
         ENOMEM);
    WANT(munmap((void *)DESC_PAGE, 4096), EINVAL);
    WANT(munmap((void *)0xffffd000, 0xfffff000), EINVAL);
    WANT(mprotect((void *)DESC_PAGE, 4096, rw), EINVAL);
}

const struct attempt on_narrow[] = {
    {"wide_nothing", wide_nothing, DIE(SIGSEGV)},
    {"wide_syscall", wide_syscall, DIE(SIGSEGV)},
    {"wide_int80", wide_int80, DIE(SIGSEGV)},
    {"wide_above", wide_above, DIE(SIGSEGV)},
    {"wide_text", wide_text, DIE(SIGSEGV)},
    {"wide_scribble", wide_scribble, DIE(SIGSEGV)},
    {"wide_monitor80", wide_monitor80, DIE(SIGSEGV)},
    {"wide_monitor_tls", wide_monitor_tls, DIE(SIGSEGV)},
    {"wide_monitor_prctl", wide_monitor_prctl, DIE(SIGSEGV)},
    {"far_wide", far_wide, DIE(SIGSEGV)},
    {"iret_wide", iret_wide, DIE(SIGSEGV)},
    {"far_ring0", far_ring0, DIE(SIGSEGV)},
    {"fast_call", fast_call, DIE(SIGILL)},
    {"sysenter_nowhere", sysenter_nowhere, DIE(SIGSEGV)},
    {"sysenter_high", sysenter_high, DIE(SIGSEGV)},
    {"load_ldt", load_ldt, DIE(SIGSEGV)},
    {"load_tss", load_tss, DIE(SIGSEGV)},
    {"load_free", load_free, DIE(SIGSEGV)},
    {"null_data", null_data, DIE(SIGSEGV)},
    {"desc_page", desc_page, DIE(SIGSEGV)},
    {"descriptors", descriptors, 0},
    {"wrap", wrap, DIE(SIGSEGV)},
    {"far_pointers", far_pointers, 0},
    {0},
};
#endif
