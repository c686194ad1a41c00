/*
 * The vCPU as a kernel leaves it for a program: SDM volume 3, 3.4.5 (descriptors), 4.5 (paging).
 * Ring 3, 4-level paging, flat segments with Linux's selectors, no I/O (IOPL 0), no IDT, no LDT, no
 * TSS: there is no gate that leads anywhere. Only the code segment of the program's own ABI exists.
 */
#include "core/cpu_regs.h"
#include "engine/engine.h"
#include "exec/prog.h"
#include <errno.h>

#define SYSTEM_GDT 0xffff800000000000ull /* where the GDT is, for the supervisor alone */

enum { GDT_CODE32 = 4, GDT_DATA = 5, GDT_CODE64 = 6, GDT_TLS = 12, GDT_ENTRIES = 16 };

#define DESC_CODE32 0x00cffb000000ffffull
#define DESC_CODE64 0x00affb000000ffffull
#define DESC_DATA   0x00cff3000000ffffull

#define CR0_RING3  0x80050033ull /* PG AM WP NE ET MP PE */
#define CR4_RING3  0x620ull      /* OSXMMEXCPT OSFXSR PAE */
#define EFER_RING3 0xd01ull      /* NXE LMA LME SCE */

static struct cpu_seg seg_of(unsigned index, uint64_t d)
{
    struct cpu_seg s = {.sel = (uint16_t)(index << 3 | 3), .limit = UINT32_MAX};

    s.attr = (uint16_t)(d >> 40 & 0xff) | (uint16_t)(d >> 40 & 0xf000);
    return s;
}

int prog_tls(struct prog *p, unsigned slot, uint64_t descriptor)
{
    uint8_t b[8];

    if (slot >= PROG_TLS)
        return -EINVAL;
    p->tls[slot] = descriptor;
    le64_put(b, descriptor);
    return space_poke(&p->space, p->gdt + (GDT_TLS + slot) * 8, b, sizeof(b));
}

static int gdt_make(struct prog *p)
{
    bool is64 = p->abi == &abi_amd64;
    uint8_t gdt[GDT_ENTRIES * 8] = {0};

    le64_put(gdt + GDT_DATA * 8, DESC_DATA);
    if (is64)
        le64_put(gdt + GDT_CODE64 * 8, DESC_CODE64);
    else
        le64_put(gdt + GDT_CODE32 * 8, DESC_CODE32);
    p->gdt = space_table(&p->space);
    if (!p->gdt || space_map_system(&p->space, SYSTEM_GDT, p->gdt, true))
        return -ENOMEM;
    return space_poke(&p->space, p->gdt, gdt, sizeof(gdt));
}

int prog_cpu(struct prog *p, struct cpu_regs *r)
{
    bool is64 = p->abi == &abi_amd64;
    struct cpu_seg data = seg_of(GDT_DATA, DESC_DATA), none = data;
    int err = gdt_make(p);

    none.sel = 0;
    *r = (struct cpu_regs){.rflags = 0x202};
    for (unsigned i = 0; i < ARRAY_LEN(r->seg); i++)
        r->seg[i] = data;
    r->seg[SEG_FS] = r->seg[SEG_GS] = none;
    if (!is64)
        r->seg[SEG_FS].attr = r->seg[SEG_GS].attr = 0; /* null: faults when used */
    r->seg[SEG_CS] = is64 ? seg_of(GDT_CODE64, DESC_CODE64) : seg_of(GDT_CODE32, DESC_CODE32);
    r->gdtr.base = SYSTEM_GDT;
    r->gdtr.limit = GDT_ENTRIES * 8 - 1;
    r->cr0 = CR0_RING3;
    r->cr4 = CR4_RING3;
    r->efer = EFER_RING3;
    r->cr3 = p->space.root;
    return err;
}

void prog_sysenter_return(struct prog *p)
{
    struct cpu_regs r;

    p->ops->trap_regs(p->engine, 0, &r);
    r.gpr[REG_RSP] = (uint32_t)r.gpr[REG_RBP];
    r.rip = p->sysinfo + PROG_SYSINFO_BACK;
    p->ops->trap_resume(p->engine, 0, &r);
}

void prog_pause(struct prog *p)
{
    p->ops->kick(p->engine, 0, true);
}
