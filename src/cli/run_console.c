/*
 * viaduct run --virtio-console, --port, --input, --rng, --balloon: virtio devices of few words. The
 * terminal can be one thing only: where a virtio console takes it and nothing was said of the
 * serial port, the serial port gives way.
 */
#include "cli/run.h"
#include "core/error.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MOST 63u /* bytes; VCON_NAME_MAX */

/* via= and packed, as all virtio devices have them. 1: taken; 0: it is neither. */
static int place_word(const char *w, bool *mmio, bool *packed)
{
    bool pci = !strcmp(w, "via=virtio");

    if (!pci && strcmp(w, "via=virtio-mmio") && strcmp(w, "packed"))
        return 0;
    if (!strcmp(w, "packed"))
        *packed = true;
    else
        *mmio = !pci;
    return 1;
}

static bool spec_known(const char *w)
{
    return !strcmp(w, "stdio") || !strcmp(w, "pty") || !strcmp(w, "null") ||
           (!strncmp(w, "file=", 5) && w[5]) || (!strncmp(w, "socket=", 7) && w[7]);
}

static int copy_take(char *to, size_t room, const char *option, const char *value,
                     struct error *err)
{
    if (!*value || *value == ',' || strlen(value) >= room)
        return error_set(err, -EINVAL, "%s: says nothing, or too much", option);
    snprintf(to, room, "%s", value);
    return 0;
}

int run_vconsole_take(void *run, const char *value, struct error *err)
{
    struct run *r = run;
    struct vm_console *c = &r->vm.vconsole;
    char *save = NULL, *text = r->console_text;
    int code = copy_take(text, sizeof(r->console_text), "--virtio-console", value, err);

    if (code)
        return code;
    c->used = true;
    for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        if (place_word(w, &c->mmio, &c->packed))
            continue;
        if (w == text && !strcmp(w, "none"))
            c->spec = NULL;
        else if (w == text && spec_known(w))
            c->spec = w;
        else
            return error_set(err, -EINVAL, "--virtio-console %s: must be " RUN_VCONSOLE_VALUE, w);
    }
    return 0;
}

static bool name_good(const char *s)
{
    size_t n = strlen(s);

    for (const char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-:", *p))
            return false;
    return n && n <= NAME_MOST && *s != '.';
}

static bool name_taken(const struct vm_console *c, const char *name)
{
    for (unsigned i = 0; i < c->ports; i++)
        if (!strcmp(c->port[i].name, name))
            return true;
    return false;
}

int run_port_take(void *run, const char *value, struct error *err)
{
    struct run *r = run;
    struct vm_console *c = &r->vm.vconsole;
    const char *name = NULL, *spec = NULL;
    char *save = NULL;
    int code;

    if (c->ports == VM_PORTS_MAX)
        return error_set(err, -EINVAL, "--port: at most %d", VM_PORTS_MAX);
    code = copy_take(r->port_text[c->ports], sizeof(r->port_text[0]), "--port", value, err);
    if (code)
        return code;
    for (char *w = strtok_r(r->port_text[c->ports], ",", &save); w; w = strtok_r(NULL, ",", &save))
        if (!strncmp(w, "name=", 5))
            name = w + 5;
        else if (!spec && spec_known(w))
            spec = w;
        else
            return error_set(err, -EINVAL, "--port %s: must be " RUN_PORT_VALUE, w);
    if (!name || !name_good(name))
        return error_set(err, -EINVAL,
                         "--port: needs name=NAME, of 1 to %u letters, digits and ._-: signs",
                         NAME_MOST);
    if (!spec)
        return error_set(err, -EINVAL, "--port name=%s: needs its other end: " RUN_PORT_VALUE,
                         name);
    if (name_taken(c, name))
        return error_set(err, -EINVAL, "--port name=%s: there is one of that name", name);
    c->port[c->ports].name = name;
    c->port[c->ports++].spec = spec;
    c->used = true;
    return 0;
}

int run_input_take(void *run, const char *value, struct error *err)
{
    struct run *r = run;
    struct vm_input *in = &r->vm.input[r->vm.inputs];
    char text[128], *save = NULL, *w;
    int code = copy_take(text, sizeof(text), "--input", value, err);

    if (!code && r->vm.inputs == VM_INPUTS_MAX)
        code = error_set(err, -EINVAL, "--input: at most %d", VM_INPUTS_MAX);
    if (code)
        return code;
    w = strtok_r(text, ",", &save);
    if (!w || (strcmp(w, "tablet") && strcmp(w, "keyboard")))
        return error_set(err, -EINVAL, "--input %s: must be " RUN_INPUT_VALUE, value);
    *in = (struct vm_input){.tablet = !strcmp(w, "tablet")};
    while ((w = strtok_r(NULL, ",", &save)))
        if (!place_word(w, &in->mmio, &in->packed))
            return error_set(err, -EINVAL, "--input %s: must be " RUN_INPUT_VALUE, w);
    r->vm.inputs++;
    return 0;
}

static bool is_stdio(const char *spec)
{
    return spec && !strcmp(spec, "stdio");
}

int run_console_choose(struct run *r, struct error *err)
{
    const struct vm_console *c = &r->vm.vconsole;
    unsigned users = is_stdio(c->spec);

    for (unsigned i = 0; i < c->ports; i++)
        users += is_stdio(c->port[i].spec);
    if (!r->vm.console)
        r->vm.console = users ? "null" : "stdio";
    users += is_stdio(r->vm.console) + is_stdio(r->vm.pv_console);
    if (users > 1)
        return error_set(err, -EINVAL,
                         "stdio is the other end of several: --console, --pv-console, "
                         "--virtio-console and --port can't share a terminal; give that another "
                         "--console");
    return 0;
}

/* A device that has nothing but a place; value NULL: the usual one. */
static int virtio_take(struct vm_virtio *v, const char *option, const char *value,
                       struct error *err)
{
    char text[64], *save = NULL;
    int code = value ? copy_take(text, sizeof(text), option, value, err) : 0;

    v->used = true;
    if (code || !value)
        return code;
    for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save))
        if (!place_word(w, &v->mmio, &v->packed))
            return error_set(err, -EINVAL, "%s=%s: must be %s" RUN_VIRTIO_VALUE, option, w, option);
    return 0;
}

int run_rng_take(void *run, const char *value, struct error *err)
{
    return virtio_take(&((struct run *)run)->vm.rng, "--rng", value, err);
}

int run_balloon_take(void *run, const char *value, struct error *err)
{
    return virtio_take(&((struct run *)run)->vm.balloon, "--balloon", value, err);
}
