/*
 * A program's address space: areas (what the program mapped), page tables in guest RAM (what the
 * vCPU sees) and the pages behind them, which are given on first use. Every address that a program
 * hands over is judged here, against the areas, each time.
 */
#ifndef EXEC_SPACE_H
#define EXEC_SPACE_H

#include "core/types.h"
#include <sys/uio.h>

#define SPACE_PAGE      4096ull
#define SPACE_AREAS_MAX 1024u
#define SPACE_TOTAL_MAX (256ull << 30) /* of all areas: what bounds the walks over page tables */

struct ram;
struct file;

enum { SPACE_READ = 1, SPACE_WRITE = 2, SPACE_EXEC = 4 }; /* as PROT_* of Linux */

struct area {
    uint64_t at, end;
    unsigned prot;
    struct file *file; /* private pages of it are read on first use; NULL: zeroes. Owned */
    uint64_t offset;   /* in the file, of at */
    uint64_t file_end; /* file bytes from here on are zeroes (an ELF segment's end); else ~0 */
};

struct space {
    struct ram *ram;
    struct area *area; /* sorted, disjoint, SPACE_AREAS_MAX */
    unsigned areas;
    uint64_t floor, top; /* the program's addresses */
    uint64_t brk_start, brk;
    /* pages of guest RAM */
    uint32_t *free; /* given back, by number */
    uint32_t frees, fresh, pages;
    uint32_t tables, low; /* the next page for page tables; the first that isn't for them */
    uint64_t root;        /* gpa of the top page table */
    bool stale; /* a translation was taken away: the engine must forget before it goes on */
};

int space_open(struct space *s, struct ram *ram, uint64_t floor, uint64_t top);
void space_close(struct space *s);

/* All of these want whole pages; 0 or -errno (Linux's own). */
int space_map(struct space *s, const struct area *a); /* replaces what is there; takes a->file */
int space_unmap(struct space *s, uint64_t at, uint64_t len);
int space_protect(struct space *s, uint64_t at, uint64_t len, unsigned prot);
/* Pages and area at [at, at+len) move to [to, to+len), where nothing is. */
int space_move(struct space *s, uint64_t at, uint64_t len, uint64_t to);
int space_forget(struct space *s, uint64_t at, uint64_t len); /* MADV_DONTNEED */
/* Highest free range of len bytes below top; 0: none. */
uint64_t space_find(const struct space *s, uint64_t len);
bool space_free_at(const struct space *s, uint64_t at, uint64_t len);
/* Grows the last mapping of at..: see mremap. */
const struct area *space_area(const struct space *s, uint64_t at); /* NULL: nothing there */

/* A page fault of the program: gives the page. 0, -EFAULT (SIGSEGV), -EIO (SIGBUS) or -ENOMEM. */
int space_fault(struct space *s, uint64_t at, unsigned want);

/* The program's memory, for calls: 0 or -EFAULT; nothing is moved unless all of it may be, but for
 * a file's page that can't be read. */
int space_read(struct space *s, uint64_t at, void *buf, size_t len);
int space_write(struct space *s, uint64_t at, const void *buf, size_t len);
/* A string with its zero: its length, -EFAULT, or -ENAMETOOLONG if it has none within room. */
int space_string(struct space *s, uint64_t at, char *buf, size_t room);
/* Pieces of [at, at+len) for host I/O, at most max of them, adjacent ones joined: how many; *len is
 * what they cover, which may be less. -EFAULT: not even the first page. After a transfer into them
 * space_written says how much came. */
int space_hold(struct space *s, uint64_t at, uint64_t *len, bool write, struct iovec *iov, int max);
void space_written(struct space *s, uint64_t at, uint64_t len);

/* For the loader and the vCPU's own tables: a page nobody else has, zeroed; 0: none left. */
uint64_t space_page(struct space *s);
uint64_t space_table(struct space *s); /* of those that the program can't be given */
void space_page_put(struct space *s, uint64_t gpa);
/* Maps a page for the supervisor alone. */
int space_map_system(struct space *s, uint64_t at, uint64_t gpa, bool write);
int space_poke(struct space *s, uint64_t gpa, const void *buf, size_t len);

bool space_sane(const struct space *s); /* for tests; RAM below 3 GiB */

#endif
