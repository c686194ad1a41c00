/* Assembling AML, the byte code of ACPI tables: just the words the boards' DSDTs are made of. */
#ifndef BOARD_AML_H
#define BOARD_AML_H

#include "core/types.h"

struct aml {
    uint8_t *at;
    size_t len, room;
    bool full; /* something did not fit: the table must not be used */
};

void aml_byte(struct aml *a, unsigned v);
void aml_word(struct aml *a, unsigned v);
void aml_dword(struct aml *a, uint32_t v);
void aml_int(struct aml *a, uint32_t v);        /* in its shortest form */
void aml_name(struct aml *a, const char *seg);  /* Name (seg, …: the object follows */
void aml_eisaid(struct aml *a, const char *id); /* "PNP0501", as an integer object */
void aml_string(struct aml *a, const char *s);

/* Blocks: open returns the place close wants. */
size_t aml_scope(struct aml *a, const char *root_seg); /* Scope (\seg) { */
size_t aml_device(struct aml *a, const char *seg);     /* Device (seg) { */
size_t aml_package(struct aml *a, unsigned elements);  /* Package (n) { */
void aml_close(struct aml *a, size_t open);

/* Resource templates: Name (_CRS, ResourceTemplate () { … }) */
size_t aml_crs(struct aml *a);
void aml_crs_end(struct aml *a, size_t open);
void aml_io(struct aml *a, unsigned base, unsigned len);
void aml_irq(struct aml *a, unsigned gsi, bool level);
void aml_memory32(struct aml *a, uint32_t base, uint32_t len); /* Memory32Fixed, ReadWrite */
void aml_bus_window(struct aml *a, unsigned first, unsigned last);
void aml_io_window(struct aml *a, unsigned first, unsigned last);
void aml_memory_window(struct aml *a, uint32_t first, uint32_t last);

#endif
