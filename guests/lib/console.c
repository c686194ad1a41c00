/* Console on the first 16550 (PC16550D data sheet), results and exit of the bare-metal guests. */
#include "guest.h"
#include <stdarg.h>

#define COM1       0x3f8
#define THR        (COM1 + 0)
#define IER        (COM1 + 1)
#define FCR        (COM1 + 2)
#define LCR        (COM1 + 3)
#define MCR        (COM1 + 4)
#define LSR        (COM1 + 5)
#define LSR_THRE   0x20
#define DEBUG_EXIT 0xf4

static unsigned failures, checks;
bool on_tcg;

void con_init(void)
{
    outb(IER, 0);
    outb(LCR, 0x83); /* DLAB: divisor 1, 115200 baud */
    outb(THR, 1);
    outb(IER, 0);
    outb(LCR, 0x03);
    outb(FCR, 0x07);
    outb(MCR, 0x03);
}

static void con_byte(char c)
{
    while (!(inb(LSR) & LSR_THRE))
        ;
    outb(THR, (uint8_t)c);
}

void put(const char *s)
{
    for (; *s; s++) {
        if (*s == '\n')
            con_byte('\r');
        con_byte(*s);
    }
}

static void number(uint64_t v, unsigned base, int width, bool zeros)
{
    char buf[24];
    int at = sizeof(buf) - 1;

    buf[at] = 0;
    do {
        /* 64-bit division by hand: 32-bit guests have no libgcc. */
        uint64_t q = 0, r = 0;
        for (int i = 63; i >= 0; i--) {
            r = r << 1 | (v >> i & 1);
            if (r >= base) {
                r -= base;
                q |= 1ull << i;
            }
        }
        buf[--at] = "0123456789abcdef"[r];
        v = q;
    } while (v && at > 0);
    for (int n = (int)sizeof(buf) - 1 - at; n < width; n++)
        con_byte(zeros ? '0' : ' ');
    put(buf + at);
}

static const char *spec(const char *f, va_list *ap)
{
    bool zeros = *f == '0', lng = false;
    int width = 0;

    for (; *f >= '0' && *f <= '9'; f++)
        width = width * 10 + *f - '0';
    for (; *f == 'l'; f++)
        lng = true;
    switch (*f) {
    case 's': put(va_arg(*ap, const char *)); break;
    case 'c': con_byte((char)va_arg(*ap, int)); break;
    case 'd': {
        long v = lng ? va_arg(*ap, long) : va_arg(*ap, int);
        if (v < 0)
            con_byte('-');
        number((uint64_t)(v < 0 ? -v : v), 10, width, zeros);
        break;
    }
    case 'u':
    case 'x':
        number(lng ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned), *f == 'x' ? 16 : 10, width,
               zeros);
        break;
    default: con_byte(*f);
    }
    return f + 1;
}

void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    while (*fmt) {
        if (*fmt == '%') {
            fmt = spec(fmt + 1, &ap);
            continue;
        }
        if (*fmt == '\n')
            con_byte('\r');
        con_byte(*fmt++);
    }
    va_end(ap);
}

bool check(const char *name, bool ok)
{
    checks++;
    failures += !ok;
    say("%s %s\n", ok ? "ok" : "FAIL", name);
    return ok;
}

bool check_eq(const char *name, uint64_t got, uint64_t want)
{
    if (got == want)
        return check(name, true);
    checks++;
    failures++;
    say("FAIL %s: got 0x", name);
    number(got, 16, 0, false);
    put(" want 0x");
    number(want, 16, 0, false);
    put("\n");
    return false;
}

bool check_trap(const char *name, unsigned vector, word error)
{
    if (seen.vector == vector && seen.error == error)
        return check(name, true);
    checks++;
    failures++;
    say("FAIL %s: vector %x error %lx at %lx:%lx, want vector %x error %lx\n", name, seen.vector,
        seen.error, seen.cs, seen.ip, vector, error);
    return false;
}

bool check_trap_real(const char *name, unsigned vector, word error)
{
    if (!on_tcg)
        return check_trap(name, vector, error);
    skip(name, "QEMU differs");
    return true;
}

bool check_eq_real(const char *name, uint64_t got, uint64_t want)
{
    if (!on_tcg)
        return check_eq(name, got, want);
    skip(name, "QEMU differs");
    return true;
}

void skip(const char *name, const char *why)
{
    say("ok %s # skip %s\n", name, why);
}

void guest_exit(unsigned code)
{
    outl(DEBUG_EXIT, code);
    for (;;)
        asm volatile("cli; hlt");
}

void guest_done(void)
{
    if (shadows_lost || doubles)
        say("# QEMU lost %u shadows of sti, delivered %u interrupts twice\n", shadows_lost,
            doubles);
    say("%u checks, %u failures\n", checks, failures);
    guest_exit(failures > 100 ? 100 : failures);
}

void guest_start(const uint8_t *mbi)
{
    con_init();
    trap_init();
    on_tcg = guest_has(mbi, "tcg");
    guest_main(mbi);
    guest_done();
}

const char *guest_cmdline(const uint8_t *mbi)
{
    uint32_t flags = *(const uint32_t *)mbi;
    return flags & 4 ? (const char *)(uintptr_t) * (const uint32_t *)(mbi + 16) : "";
}

uint64_t guest_opt(const uint8_t *mbi, const char *key, uint64_t fallback)
{
    for (const char *s = guest_cmdline(mbi); *s; s++) {
        const char *k = key, *p = s;
        while (*k && *k == *p)
            k++, p++;
        if (*k || *p++ != '=')
            continue;
        uint64_t v = 0;
        for (; *p >= '0' && *p <= '9'; p++)
            v = v * 10 + (uint64_t)(*p - '0');
        return v;
    }
    return fallback;
}

bool guest_has(const uint8_t *mbi, const char *word)
{
    for (const char *s = guest_cmdline(mbi); *s; s++) {
        const char *w = word, *p = s;
        while (*w && *w == *p)
            w++, p++;
        if (!*w && (!*p || *p == ' '))
            return true;
    }
    return false;
}

bool str_eq(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

void *mem_set(void *p, int c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)p)[i] = (uint8_t)c;
    return p;
}

void *mem_copy(void *d, const void *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile uint8_t *)d)[i] = ((const uint8_t *)s)[i];
    return d;
}

bool mem_eq(const void *a, const void *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((const uint8_t *)a)[i] != ((const uint8_t *)b)[i])
            return false;
    return true;
}

/* gcc emits calls to these by itself. */
void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
void *memset(void *p, int c, size_t n)
{
    return mem_set(p, c, n);
}

void *memcpy(void *d, const void *s, size_t n)
{
    return mem_copy(d, s, n);
}
