/* A static ELF program's headers, read and judged; nothing is mapped here. */
#ifndef EXEC_ELF_H
#define EXEC_ELF_H

#include "core/types.h"

#define ELF_HEAD     4096u /* bytes of the file's beginning that hold all headers */
#define ELF_SEGS_MAX 16    /* PT_LOAD; linkers make 4 to 6 */

struct error;

struct elf_seg {
    uint64_t offset, addr, filesz, memsz;
    unsigned prot;
};

struct elf {
    bool is64;
    bool moves; /* static PIE: addresses are relative to where it is put */
    uint64_t entry;
    uint64_t phdr; /* address of the program headers in memory; 0: in no segment */
    uint16_t phnum, phent;
    bool exec_stack;
    unsigned segs;
    struct elf_seg seg[ELF_SEGS_MAX];
    uint64_t low, high; /* whole pages that all segments need, from the lowest on */
};

/* head: the first len bytes (at most ELF_HEAD) of a file of that size. 0, or -ENOEXEC and why. */
int elf_parse(struct elf *e, const uint8_t *head, size_t len, uint64_t size, struct error *err);

#endif
