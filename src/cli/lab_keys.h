/*
 * The keys of a lab file, as tables: which option of which command each becomes. To add one is one
 * line in lab_keys.c and one in docs/lab.md.
 */
#ifndef CLI_LAB_KEYS_H
#define CLI_LAB_KEYS_H

#include "api/toml.h"

/* What a value may be: a sum of these. */
#define KEY_TEXT   (1u << TOML_STRING)
#define KEY_NUMBER (1u << TOML_INT)
#define KEY_BOOL   (1u << TOML_BOOL)
#define KEY_LIST   (1u << TOML_ARRAY) /* of texts */
#define KEY_TABLE  (1u << TOML_TABLE)

enum key_does {
    KEY_OWN,    /* is not an option: lab_file.c knows it */
    KEY_OPTION, /* --option VALUE; true alone: --option; each element of a list */
    KEY_RAW,    /* words of the command as they are */
    KEY_FIRST,  /* the first word of --disk, --net, …: option and value in one ("tap=" "NAME") */
    KEY_WORD,   /* ,option=VALUE; true: ,option */
    KEY_PORT,   /* the same, of the port of the switch that the card is plugged into */
    KEY_TABLES, /* tables, each an --option made of words by the table of keys sub; a text, where it
                   may be one, is the option's value */
};

/* Is it a path? Such a one starts from the lab's file. */
enum key_path {
    KEY_NO_PATH,
    KEY_PATH,
    KEY_THERE, /* and it is to be there before anything is started */
};

struct lab_key {
    const char *name;
    unsigned kinds;
    enum key_does does;
    const char *option;
    enum key_path file;
    const struct lab_key *sub;
    const char *help; /* for KEY_TABLES: what the first word may be */
};

/* Each ends with name NULL. */
extern const struct lab_key lab_keys[], lab_network_keys[], lab_domain_keys[], lab_vm_keys[],
    lab_seat_keys[];

const struct lab_key *lab_key_find(const struct lab_key *keys, const char *name);
/* Which of them may have been meant; NULL: none is near. */
const char *lab_key_near(const struct lab_key *keys, const char *name);

#endif
