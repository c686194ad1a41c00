/*
 * A trap: what a guest did that the hypervisor must complete. Plain data, the same from every
 * engine. The engine fills it, trap/dispatch completes it in place, the engine resumes the guest.
 */
#ifndef CORE_TRAP_H
#define CORE_TRAP_H

#include "core/types.h"

enum trap_kind {
    TRAP_PIO,      /* addr = port; count > 1 or data != NULL: string I/O */
    TRAP_MMIO,     /* addr = guest-physical address */
    TRAP_HCALL,    /* VMCALL/VMMCALL: hcall[] in, hcall[0] out */
    TRAP_HALT,     /* the vCPU halted with interrupts as they are */
    TRAP_KICK,     /* somebody called engine kick: look at your requests */
    TRAP_SHUTDOWN, /* triple fault */
    TRAP_FAIL,     /* the engine can't go on; why says so, addr = guest RIP */
    TRAP_PATCH,    /* a patched instruction: no engine says so, the dispatch finds it in a PIO */
    TRAP_CALL,     /* a program's system call (engine_env.program): value = number in, result out;
                      size = enum trap_way, hcall[] = arguments, addr = RIP */
    TRAP_FAULT,    /* a program's exception: value = vector, size = its error code's size (0: none),
                      hcall[0] = error code, hcall[1] = CR2, addr = RIP; goes on there */
    TRAP_KINDS
};

/* Where RIP stands in registers taken inside a trap callback: at the trapping instruction, already
 * behind it, or (PIO writes) one of the two. */
enum trap_rip { TRAP_RIP_AT, TRAP_RIP_BEHIND, TRAP_RIP_EITHER };

/* How a program called: which instruction, and so which registers hold the arguments. */
enum trap_way { TRAP_SYSCALL, TRAP_INT80, TRAP_SYSENTER, TRAP_WAYS };

struct trap {
    enum trap_kind kind;
    bool write;
    uint8_t size;   /* bytes per access: 1, 2, 4, 8 (MMIO: any 1..8) */
    uint32_t count; /* string I/O: elements in data, else 1 */
    uint64_t addr;
    uint64_t value; /* count == 1 and data == NULL: in for a write, out for a read */
    uint8_t *data;  /* else: count * size bytes, guest order */
    uint64_t hcall[6];
    char why[160]; /* TRAP_FAIL only: one line for the user */
};

#endif
