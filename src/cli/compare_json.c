/* viaduct compare --json: all that was measured, for programs (docs/compare.md has the format). */
#include "cli/compare_net.h"
#include "cli/compare_with.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static void put(cJSON *o, const char *name, double v)
{
    if (isnan(v))
        cJSON_AddNullToObject(o, name); /* not determined */
    else
        cJSON_AddNumberToObject(o, name, v);
}

static void put_text(cJSON *o, const char *name, const char *s)
{
    if (s)
        cJSON_AddStringToObject(o, name, s);
    else
        cJSON_AddNullToObject(o, name);
}

static cJSON *workload(const struct compare *c)
{
    cJSON *o = cJSON_CreateObject(), *depths = cJSON_AddArrayToObject(o, "depths");

    put(o, "request_bytes", c->o.size);
    put(o, "read_percent", c->o.read);
    put(o, "blocks", c->blocks);
    for (unsigned i = 0; i < c->o.depths; i++)
        cJSON_AddItemToArray(depths, cJSON_CreateNumber(c->o.depth[i]));
    put_text(o, "completion", c->o.poll ? "polled" : "interrupt");
    return o;
}

static cJSON *engines(const struct compare *c)
{
    cJSON *list = cJSON_CreateArray();

    for (unsigned i = 0; i < compare_engines_count; i++) {
        cJSON *o;

        if (!(c->o.engines & 1u << i))
            continue;
        o = cJSON_CreateObject();
        put_text(o, "name", compare_engines[i].name);
        put_text(o, "what", compare_engines[i].what);
        cJSON_AddBoolToObject(o, "available", c->engine[i].there);
        put_text(o, "note", c->engine[i].why[0] ? c->engine[i].why : NULL);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *ways(const struct compare *c)
{
    cJSON *list = cJSON_CreateArray();

    for (unsigned i = 0; i < compare_ways_count; i++) {
        const struct compare_way *w = &compare_ways[i];
        cJSON *o, *knows;

        if (!(c->o.ways & 1u << i))
            continue;
        o = cJSON_CreateObject();
        put_text(o, "name", w->name);
        put_text(o, "what", w->what);
        put_text(o, "intercepted_at", compare_at_name(w->at));
        knows = cJSON_AddObjectToObject(o, "backend_knows");
        put_text(knows, "request_boundaries", w->boundaries);
        put_text(knows, "process", w->process);
        put_text(knows, "file", w->file);
        put_text(knows, "flush_intent", w->flush);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *traps(const struct figures *f)
{
    cJSON *o = cJSON_CreateObject();

    put(o, "all", f->traps);
    put(o, "pio", f->pio);
    put(o, "mmio", f->mmio);
    put(o, "patched", f->patch);
    put(o, "hypercall", f->hcall);
    put(o, "system_call", f->syscall);
    put(o, "of_interrupt_controllers", f->eoi);
    return o;
}

static cJSON *times(const struct cell *cell)
{
    cJSON *o = cJSON_CreateObject(), *rounds;

    put(o, "median", cell->f.ns);
    put(o, "p5", cell->f.ns_p5);
    put(o, "p95", cell->f.ns_p95);
    put(o, "least", cell->f.ns_min);
    put(o, "greatest", cell->f.ns_max);
    rounds = cJSON_AddArrayToObject(o, "rounds");
    for (unsigned i = 0; i < cell->f.rounds; i++)
        cJSON_AddItemToArray(rounds, cJSON_CreateNumber(cell->round_ns[i]));
    return o;
}

static void measured(cJSON *o, const struct cell *cell)
{
    const struct figures *f = &cell->f;
    cJSON *each = cJSON_AddObjectToObject(o, "per_request");

    put(o, "requests", f->requests);
    cJSON_AddItemToObject(each, "traps", traps(f));
    put(each, "doorbells", f->bells);
    put(each, "interrupts", f->irqs);
    put(each, "interrupts_taken", f->taken);
    put(each, "halts", f->halts);
    put(each, "engine_stops", f->stops);
    put(each, "register_bytes", f->register_bytes);
    put(each, "backend_requests", f->backend);
    put(each, "backend_bytes", f->backend_bytes);
    cJSON_AddItemToObject(each, "ns", times(cell));
    if (f->crossings > 0)
        put(o, "bytes_per_trap", f->bytes_per_trap);
    else
        cJSON_AddNullToObject(o, "bytes_per_trap");
    put(o, "copies_per_byte", f->copies);
    put(o, "flushes_asked", COMPARE_FLUSHES);
    put(o, "flushes_at_backend", f->flushes);
    put(o, "refused_crossings", f->refused);
}

static cJSON *cells(const struct compare *c)
{
    static const char *const state[] = {[CELL_WAITING] = "not run",
                                        [CELL_MEASURED] = "measured",
                                        [CELL_REFUSED] = "refused",
                                        [CELL_FAILED] = "failed"};
    cJSON *list = cJSON_CreateArray();

    for (unsigned i = 0; i < c->cells; i++) {
        const struct cell *cell = &c->cell[i];
        cJSON *o = cJSON_CreateObject();

        put_text(o, "way", cell->way->name);
        put_text(o, "engine", cell->engine->name);
        put(o, "depth", cell->depth);
        put_text(o, "state", state[cell->state]);
        if (cell->state == CELL_MEASURED)
            measured(o, cell);
        else
            put_text(o, "reason", cell->why);
        cJSON_AddItemToArray(list, o);
    }
    return list;
}

static cJSON *document(const struct compare *c)
{
    cJSON *o = cJSON_CreateObject(), *host, *with;

    put(o, "version", 1);
    put_text(o, "program", "viaduct compare");
    put_text(o, "when", c->when);
    host = cJSON_AddObjectToObject(o, "host");
    put_text(host, "cpu", c->cpu);
    put_text(host, "system", c->host);
    put(host, "tsc_hz", c->tsc_hz);
    put(o, "took_seconds", c->took_s);
    cJSON_AddItemToObject(o, "workload", workload(c));
    cJSON_AddItemToObject(o, "engines", engines(c));
    cJSON_AddItemToObject(o, "ways", ways(c));
    cJSON_AddItemToObject(o, "cells", cells(c));
    if (c->net && c->net->rungs)
        cJSON_AddItemToObject(o, "net", cJSON_Parse(c->net->json));
    with = cJSON_AddArrayToObject(o, "with");
    for (unsigned i = 0; i < c->withs; i++)
        cJSON_AddItemToArray(with, compare_with_json(c->with[i]));
    return o;
}

int compare_json(const struct compare *c, const char *path)
{
    cJSON *o = document(c);
    char *text = o ? cJSON_Print(o) : NULL;
    FILE *out = text ? fopen(path, "we") : NULL;
    int code = out ? 0 : text ? -errno : -ENOMEM;

    if (out) {
        fprintf(out, "%s\n", text);
        code = ferror(out) ? -EIO : 0;
        if (fclose(out) && !code)
            code = -errno;
    }
    cJSON_free(text);
    cJSON_Delete(o);
    return code;
}
