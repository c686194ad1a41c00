/* Drivers that break one rule of those about rings and descriptors. */
#include "vcheck_driver.h"

static void avail_back(struct world *w)
{
    ready(w, V1);
    request(w, 0, FLUSH, 0, 0);
    kick(w);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), 0);
    kick(w);
}

static void avail_ahead(struct world *w)
{
    ready(w, V1);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), SIZE + 1);
    kick(w);
}

static void avail_head(struct world *w)
{
    ready(w, V1);
    go(w, SIZE);
}

static void avail_flags(struct world *w)
{
    ready(w, V1);
    le16_put(ram_ptr(&w->ram, AVAIL, 2), 1);
    kick(w);
    assert_int_equal(w->watch.broken, 0);
    le16_put(ram_ptr(&w->ram, AVAIL, 2), 2);
    kick(w);
}

static void avail_flags_event(struct world *w)
{
    ready(w, V1 | EVENT);
    le16_put(ram_ptr(&w->ram, AVAIL, 2), 1);
    kick(w);
}

static void used_touched(struct world *w)
{
    ready(w, V1);
    le16_put(ram_ptr(&w->ram, USED + 2, 2), 3);
    kick(w);
}

static void desc_busy(struct world *w)
{
    ready(w, V1);
    request(w, 0, FLUSH, 0, 0);
    kick(w);
    go(w, 0);
}

static void desc_busy_later(struct world *w)
{
    ready(w, V1);
    request(w, 0, FLUSH, 0, 0);
    kick(w);
    desc(w, 2, HDR, 16, NEXT); /* goes on to 3, the first one's status */
    go(w, 2);
}

static void desc_next(struct world *w)
{
    ready(w, V1);
    desc(w, SIZE - 1, HDR, 16, NEXT);
    go(w, SIZE - 1);
}

static void desc_loop(struct world *w)
{
    ready(w, V1);
    desc(w, 0, HDR, 16, NEXT);
    desc(w, 1, HDR, 16, NEXT);
    le16_put(ram_ptr(&w->ram, DESC + 16 + 14, 2), 0);
    go(w, 0);
}

static void desc_long(struct world *w)
{
    ready(w, V1 | TABLES);
    for (unsigned i = 0; i < SIZE + 1; i++)
        table(w, i, HDR, 16, NEXT | (i + 1) << 16);
    table(w, SIZE + 1, HDR, 1, WRITE);
    desc(w, 0, TABLE, 16 * (SIZE + 2), IND);
    go(w, 0);
}

static void desc_order(struct world *w)
{
    ready(w, V1);
    desc(w, 0, HDR, 16, NEXT | WRITE);
    desc(w, 1, HDR, 16, 0);
    go(w, 0);
}

static void desc_bytes(struct world *w)
{
    ready(w, V1);
    desc(w, 0, 0, 0x80000000, NEXT);
    desc(w, 1, 0, 0x80000000, NEXT);
    desc(w, 2, 0, 1, WRITE);
    go(w, 0);
}

static void desc_empty(struct world *w)
{
    ready(w, V1);
    desc(w, 0, HDR, 0, 0);
    go(w, 0);
}

static void desc_memory(struct world *w)
{
    ready(w, V1);
    desc(w, 0, 1ull << 40, 16, 0);
    go(w, 0);
}

static void desc_flags(struct world *w)
{
    ready(w, V1);
    desc(w, 0, HDR, 16, 0x10);
    go(w, 0);
}

static void desc_changed(struct world *w)
{
    ready(w, V1);
    request(w, 0, FLUSH, 0, 0);
    kick(w);
    desc(w, 3, HDR + 16, 2, WRITE);
    slow_finish(&w->slow, 0);
    settle(w);
}

static void table_changed(struct world *w)
{
    ready(w, V1 | TABLES);
    le32_put(ram_ptr(&w->ram, HDR, 4), FLUSH);
    table(w, 0, HDR, 16, NEXT | 1 << 16);
    table(w, 1, HDR + 16, 1, WRITE);
    desc(w, 0, TABLE, 32, IND);
    go(w, 0);
    table(w, 1, HDR + 17, 1, WRITE);
    slow_finish(&w->slow, 0);
    settle(w);
}

static void indirect_unoffered(struct world *w)
{
    ready(w, V1);
    desc(w, 0, TABLE, 32, IND);
    go(w, 0);
}

static void indirect_nested(struct world *w)
{
    ready(w, V1 | TABLES);
    table(w, 0, TABLE + 64, 32, IND);
    desc(w, 0, TABLE, 32, IND);
    go(w, 0);
}

static void indirect_next(struct world *w)
{
    ready(w, V1 | TABLES);
    desc(w, 0, TABLE, 32, IND | NEXT);
    go(w, 0);
}

static void indirect_table(struct world *w)
{
    ready(w, V1 | TABLES);
    desc(w, 0, TABLE, 17, IND);
    go(w, 0);
}

static void in_order(struct world *w)
{
    ready(w, V1 | ORDER);
    request(w, 0, IN, 0, 1024);
    kick(w);
    assert_int_equal(w->watch.broken, 0);
    go(w, 8); /* 4 is next */
}

static void in_order_next(struct world *w)
{
    ready(w, V1 | ORDER);
    request(w, 0, FLUSH, 0, 0); /* leads from 0 to 3 */
    kick(w);
}

static void packed_partial(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    put(w, 1, HDR + 16, 1, WRITE | WRAPPED);
    packed_go(w);
}

static void packed_long(struct world *w)
{
    packed(w, 0);
    for (unsigned i = 0; i < SIZE; i++)
        put(w, i, HDR, 1, NEXT);
    packed_go(w);
}

static void packed_room(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    packed_go(w);
    for (unsigned i = 2; i < SIZE; i++)
        put(w, i, HDR, 2, NEXT);
    put(w, 0, HDR, 2, WRAPPED);
    packed_go(w);
}

static void packed_order(struct world *w)
{
    packed(w, 0);
    put(w, 1, HDR, 1, 0);
    put(w, 0, HDR, 1, NEXT | WRITE);
    packed_go(w);
}

static void packed_id(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    packed_go(w);
    packed_flush(w, 2, 1);
    packed_go(w);
}

static void packed_flags(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    put(w, 0, HDR, 1, NEXT | 0x10);
    packed_go(w);
}

static void packed_event(struct world *w)
{
    packed(w, 0);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), 1);
    packed_go(w);
    assert_int_equal(w->watch.broken, 0);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), 2);
    packed_go(w);
}

static void packed_event_reserved(struct world *w)
{
    packed(w, EVENT);
    le16_put(ram_ptr(&w->ram, AVAIL + 2, 2), 3);
    packed_go(w);
}

static void packed_changed(struct world *w)
{
    packed(w, 0);
    packed_flush(w, 0, 1);
    packed_flush(w, 2, 2);
    packed_go(w);
    put(w, 3, HDR, 1, WRITE);
    slow_finish(&w->slow, 0);
    settle(w);
}

static void packed_indirect(struct world *w)
{
    packed(w, TABLES);
    table(w, 0, HDR, 16, (uint32_t)NEXT << 16);
    table(w, 1, HDR + 16, 1, (uint32_t)WRITE << 16);
    put(w, 0, TABLE, 1, IND);
    le32_put(ram_ptr(&w->ram, DESC + 8, 4), 32);
    packed_go(w);
}

static void packed_table(struct world *w)
{
    packed(w, TABLES);
    put(w, 0, TABLE, 1, IND);
    le32_put(ram_ptr(&w->ram, DESC + 8, 4), 16 * (SIZE + 1));
    packed_go(w);
}

static void packed_list(struct world *w)
{
    packed(w, TABLES);
    packed_flush(w, 0, 1);
    put(w, 0, TABLE, 1, IND | NEXT);
    packed_go(w);
}

static const struct breaker breakers[] = {
    {VRULE_AVAIL_BACK, avail_back, 0, 0, false},
    {VRULE_AVAIL_AHEAD, avail_ahead, 0, 0, false},
    {VRULE_AVAIL_HEAD, avail_head, 0, 0, false},
    {VRULE_AVAIL_FLAGS, avail_flags, 0, 0, false},
    {VRULE_AVAIL_FLAGS, avail_flags_event, 0, 0, false},
    {VRULE_USED_TOUCHED, used_touched, 0, 0, false},
    {VRULE_DESC_BUSY, desc_busy, 0, 0, false},
    {VRULE_DESC_BUSY, desc_busy_later, 0, 0, false},
    {VRULE_DESC_NEXT, desc_next, 0, 0, false},
    {VRULE_DESC_LOOP, desc_loop, 0, 0, false},
    {VRULE_DESC_LONG, desc_long, 0, 0, false},
    {VRULE_DESC_ORDER, desc_order, 0, 0, false},
    {VRULE_DESC_BYTES, desc_bytes, 0, 3072, false},
    {VRULE_DESC_EMPTY, desc_empty, 0, 0, false},
    {VRULE_DESC_MEMORY, desc_memory, 0, 0, false},
    {VRULE_DESC_FLAGS, desc_flags, 0, 0, false},
    {VRULE_DESC_CHANGED, desc_changed, 0, 0, false},
    {VRULE_DESC_CHANGED, table_changed, 0, 0, false},
    {VRULE_INDIRECT_UNOFFERED, indirect_unoffered, 0, 0, false},
    {VRULE_INDIRECT_NESTED, indirect_nested, 0, 0, false},
    {VRULE_INDIRECT_NEXT, indirect_next, 0, 0, false},
    {VRULE_INDIRECT_TABLE, indirect_table, 0, 0, false},
    {VRULE_IN_ORDER, in_order, 0, 0, true},
    {VRULE_IN_ORDER, in_order_next, 0, 0, false},
    {VRULE_PACKED_PARTIAL, packed_partial, 0, 0, false},
    {VRULE_PACKED_LONG, packed_long, 0, 0, false},
    {VRULE_PACKED_ROOM, packed_room, 0, 0, false},
    {VRULE_PACKED_ORDER, packed_order, 0, 0, false},
    {VRULE_PACKED_ID, packed_id, 0, 0, false},
    {VRULE_PACKED_FLAGS, packed_flags, 0, 0, false},
    {VRULE_PACKED_EVENT, packed_event, 0, 0, false},
    {VRULE_PACKED_EVENT, packed_event_reserved, 0, 0, false},
    {VRULE_PACKED_CHANGED, packed_changed, 0, 0, false},
    {VRULE_PACKED_INDIRECT, packed_indirect, 0, 0, false},
    {VRULE_PACKED_TABLE, packed_table, 0, 0, false},
    {VRULE_PACKED_LIST, packed_list, 0, 0, false},
};

const struct breakers vcheck_break_ring = {breakers, ARRAY_LEN(breakers)};
