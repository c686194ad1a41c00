/* Register pages (core/shadow.h): each a memory file, so that a guest in another process can map
 * it too. */
#include "mem/page.h"
#include "mem/ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int page_open(struct shadow *s, gpa_t gpa)
{
    void *p;

    *s = (struct shadow){.gpa = gpa, .fd = memfd_create("register-page", MFD_CLOEXEC)};
    if (s->fd < 0)
        return -errno;
    p = ftruncate(s->fd, RAM_PAGE_SIZE)
            ? MAP_FAILED
            : mmap(NULL, RAM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (p == MAP_FAILED) {
        close(s->fd);
        return -ENOMEM;
    }
    s->host = p;
    memset(s->host, 0xff, RAM_PAGE_SIZE);
    return 0;
}

void page_close(struct shadow *s)
{
    munmap(s->host, RAM_PAGE_SIZE);
    close(s->fd);
    s->host = NULL;
}

void page_put(struct shadow *s, unsigned off, uint32_t v)
{
    __atomic_store_n((uint32_t *)(void *)(s->host + off), v, __ATOMIC_RELEASE);
}
