/* Accesses that a chip does not decode as they are: cut into those that it does. */
#include "bus/bus_impl.h"

#define ACCESS_MAX 8u

/* The widest decoded access that fits at off into n bytes, or 0. */
static unsigned piece_at(const struct io_ops *ops, uint64_t off, unsigned n)
{
    unsigned size;

    for (size = ACCESS_MAX; size; size /= 2)
        if (size <= n && (ops->sizes & size) && !(off & (size - 1)))
            return size;
    return 0;
}

uint64_t bus_cut_read(struct io_region *r, uint64_t off, unsigned size, bool *refused)
{
    uint64_t val = bus_size_mask(size);
    unsigned done, n;

    for (done = 0; done < size; done += n) { /* at most 8 pieces */
        n = piece_at(r->ops, off + done, size - done);
        if (!n) {
            n = 1;
            *refused = true;
            continue;
        }
        val &= ~(bus_size_mask(n) << (done * 8));
        val |= (r->ops->read(r->dev, off + done, n) & bus_size_mask(n)) << (done * 8);
    }
    return val;
}

void bus_cut_write(struct io_region *r, uint64_t off, unsigned size, uint64_t val, bool *refused)
{
    unsigned done, n;

    for (done = 0; done < size; done += n) { /* at most 8 pieces */
        n = piece_at(r->ops, off + done, size - done);
        if (!n) {
            n = 1;
            *refused = true;
            continue;
        }
        r->ops->write(r->dev, off + done, n, (val >> (done * 8)) & bus_size_mask(n));
    }
}
