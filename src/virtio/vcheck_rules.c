/*
 * The rules that --check virtio watches, one a line: name, section of VIRTIO 1.2, and what a driver
 * did that breaks it. Where a rule is of one ring layout or transport, its section says so.
 *
 * Left out, since rings and registers don't show it: memory barriers, kicks that should have come,
 * data of a buffer that changes while the device has it.
 */
#include "virtio/vcheck_rules.h"

#define RULE(name, section, text)                                                                  \
    {                                                                                              \
        name, section, text                                                                        \
    }

const struct vrule_text vrule_text[VRULES] = {
    [VRULE_STATUS_CLEAR] = RULE("status-clear", "2.1.1", "a status bit cleared without a reset"),
    [VRULE_STATUS_ORDER] = RULE("status-order", "3.1.1", "a step of the initialization left out"),
    [VRULE_STATUS_UNKNOWN] = RULE("status-unknown", "2.1", "a status bit that no driver sets"),
    [VRULE_STATUS_FAILED] = RULE("status-failed", "2.1.1", "going on after FAILED with no reset"),
    [VRULE_FEATURE_UNOFFERED] = RULE("feature-unoffered", "2.2.1",
                                     "a feature accepted that the "
                                     "device did not offer"),
    [VRULE_FEATURE_REQUIRES] = RULE("feature-requires", "2.2.1",
                                    "a feature accepted without the "
                                    "one it requires"),
    [VRULE_FEATURE_VERSION_1] = RULE("feature-version-1", "6.1", "VERSION_1 offered, not accepted"),
    [VRULE_FEATURE_EARLY] = RULE("feature-early", "3.1.1", "features accepted before DRIVER"),
    [VRULE_FEATURE_LATE] = RULE("feature-late", "3.1.1", "features changed after FEATURES_OK"),
    [VRULE_FEATURES_UNREAD] =
        RULE("features-unread", "3.1.1", "DRIVER_OK with no look at whether FEATURES_OK stayed"),
    [VRULE_FEATURES_REFUSED] =
        RULE("features-refused", "3.1.1", "DRIVER_OK though the device did not keep FEATURES_OK"),

    [VRULE_KICK_EARLY] = RULE("kick-early", "3.1.1", "a kick before DRIVER_OK"),
    [VRULE_KICK_NOBODY] = RULE("kick-nobody", "2.3", "a kick of a queue that is not enabled"),
    [VRULE_KICK_VALUE] = RULE("kick-value", "4.1.5.2",
                              "a kick that is not 16 bits with the "
                              "queue's number (MMIO: 4.2.3.3, 32 bits)"),
    [VRULE_KICK_DATA] = RULE("kick-data", "2.9",
                             "a kick whose data names a place the ring does "
                             "not have, or buffers not there"),

    [VRULE_QUEUE_POWER] = RULE("queue-power", "2.7", "a split ring's size is no power of two"),
    [VRULE_QUEUE_SIZE] = RULE("queue-size", "4.1.4.3, 4.2.2.2",
                              "a ring of no entries, or of more "
                              "than the device takes"),
    [VRULE_QUEUE_ALIGN] = RULE("queue-align", "2.7.1, 2.8.11", "a part of the ring is misaligned"),
    [VRULE_QUEUE_MEMORY] = RULE("queue-memory", "2.7, 2.8", "a part of the ring is not in memory"),
    [VRULE_QUEUE_OVERLAP] = RULE("queue-overlap", "2.7, 2.8", "parts of the ring overlap"),
    [VRULE_QUEUE_EARLY] = RULE("queue-early", "3.1.1", "a queue enabled before FEATURES_OK"),
    [VRULE_QUEUE_LATE] = RULE("queue-late", "3.1.1",
                              "a queue enabled after DRIVER_OK, and not "
                              "after a reset of the queue"),
    [VRULE_QUEUE_TWICE] = RULE("queue-twice", "4.1.4.3.2, 4.2.3.2", "an enabled queue enabled"),
    [VRULE_QUEUE_CHANGED] = RULE("queue-changed", "4.1.4.3.2, 4.2.2.2",
                                 "size or address of a "
                                 "queue set while enabled"),
    [VRULE_QUEUE_USED_INIT] = RULE("queue-used-init", "2.7.8, 2.7.10.1",
                                   "flags or index of the "
                                   "used ring begin not 0"),
    [VRULE_QUEUE_RING_INIT] = RULE("queue-ring-init", "2.8.13",
                                   "a packed ring begins with "
                                   "descriptors marked used"),
    [VRULE_RESET_UNOFFERED] = RULE("reset-unoffered", "2.6.1", "a queue reset without RING_RESET"),
    [VRULE_RESET_UNREAD] = RULE("reset-unread", "2.6.1.2, 4.2.2.2",
                                "a queue taken up again with no "
                                "look at whether it stopped"),

    [VRULE_PCI_WIDTH] = RULE("pci-width", "4.1.3.1", "a field not accessed in its own width"),
    [VRULE_PCI_READ_ONLY] = RULE("pci-read-only", "4.1.4.3.2", "a read-only field written"),
    [VRULE_PCI_ENABLE] = RULE("pci-enable", "4.1.4.3.2", "queue_enable written with other than 1"),
    [VRULE_PCI_RESET] = RULE("pci-reset", "4.1.4.3.2", "queue_reset written with other than 1"),
    [VRULE_MMIO_WIDTH] = RULE("mmio-width", "4.2.2.2",
                              "a register accessed with other than 32 "
                              "aligned bits"),
    [VRULE_MMIO_DIRECTION] = RULE("mmio-direction", "4.2.2.2",
                                  "a read-only register written, a "
                                  "write-only one read, or none"),
    [VRULE_MMIO_ACK] = RULE("mmio-ack", "4.2.2.2", "InterruptACK with undefined bits"),
    [VRULE_CONFIG_OPTIONAL] = RULE("config-optional", "2.5.1",
                                   "a configuration field read whose "
                                   "feature is not offered"),
    [VRULE_CONFIG_TORN] = RULE("config-torn", "2.5.1",
                               "halves of a 64-bit field read without the "
                               "generation before and after"),
    [VRULE_CONFIG_OUTSIDE] = RULE("config-outside", "2.5", "configuration beyond its end"),

    [VRULE_AVAIL_BACK] = RULE("avail-back", "2.7.6.1", "the available index went back"),
    [VRULE_AVAIL_AHEAD] = RULE("avail-ahead", "2.7.13", "more buffers than the ring has entries"),
    [VRULE_AVAIL_HEAD] = RULE("avail-head", "2.7.6", "a head outside the descriptor table"),
    [VRULE_AVAIL_FLAGS] = RULE("avail-flags", "2.7.7.1",
                               "flags of the available ring are not 0 "
                               "(or 1 without EVENT_IDX)"),
    [VRULE_USED_TOUCHED] = RULE("used-touched", "2.7.8",
                                "the used index is not what the device "
                                "wrote"),
    [VRULE_DESC_BUSY] =
        RULE("desc-busy", "2.7.13", "a descriptor of a buffer the device still has"),
    [VRULE_DESC_NEXT] = RULE("desc-next", "2.7.5", "next is outside the table"),
    [VRULE_DESC_LOOP] = RULE("desc-loop", "2.7.5.2", "a chain that comes back to itself"),
    [VRULE_DESC_LONG] = RULE("desc-long", "2.7.5.3.1", "a chain longer than its ring"),
    [VRULE_DESC_ORDER] = RULE("desc-order", "2.7.4.2",
                              "a device-readable element after a "
                              "device-writable one"),
    [VRULE_DESC_BYTES] = RULE("desc-bytes", "2.7.5.2", "a buffer of more than 4 GiB"),
    [VRULE_DESC_EMPTY] = RULE("desc-empty", "2.7.13.1, 2.8.4", "an element of no bytes"),
    [VRULE_DESC_MEMORY] = RULE("desc-memory", "2.7.5, 2.8.4", "an element that is not in memory"),
    [VRULE_DESC_FLAGS] = RULE("desc-flags", "2.7.5", "descriptor flags that mean nothing"),
    [VRULE_DESC_CHANGED] = RULE("desc-changed", "2.7.13.3",
                                "a descriptor changed while the device "
                                "had its buffer"),
    [VRULE_INDIRECT_UNOFFERED] = RULE("indirect-unoffered", "2.7.5.3.1, 2.8.19",
                                      "an indirect descriptor without INDIRECT_DESC"),
    [VRULE_INDIRECT_NESTED] = RULE("indirect-nested", "2.7.5.3.1", "a table within a table"),
    [VRULE_INDIRECT_NEXT] = RULE("indirect-next", "2.7.5.3.1", "INDIRECT and NEXT together"),
    [VRULE_INDIRECT_TABLE] = RULE("indirect-table", "2.7.5.3, 2.8.7",
                                  "an indirect table that is "
                                  "ragged, empty or not in "
                                  "memory"),
    [VRULE_IN_ORDER] = RULE("in-order", "2.7.5.2, 2.7.5.3.1",
                            "descriptors not in ring order, "
                            "though IN_ORDER was accepted"),

    [VRULE_PACKED_PARTIAL] = RULE("packed-partial", "2.8.17",
                                  "a list whose later descriptors are "
                                  "not available"),
    [VRULE_PACKED_LONG] = RULE("packed-long", "2.8.17", "a list longer than its ring"),
    [VRULE_PACKED_ROOM] = RULE("packed-room", "2.8.17", "a list over places the device still has"),
    [VRULE_PACKED_ORDER] = RULE("packed-order", "2.8.17",
                                "a device-readable element after a "
                                "device-writable one"),
    [VRULE_PACKED_ID] = RULE("packed-id", "2.8.21.1", "the ID of a buffer the device still has"),
    [VRULE_PACKED_FLAGS] = RULE("packed-flags", "2.8.13", "descriptor flags that mean nothing"),
    [VRULE_PACKED_EVENT] = RULE("packed-event", "2.8.14",
                                "an event structure with reserved bits, "
                                "or DESC without EVENT_IDX"),
    [VRULE_PACKED_CHANGED] = RULE("packed-changed", "2.8.16",
                                  "a descriptor changed while the "
                                  "device had its buffer"),
    [VRULE_PACKED_INDIRECT] = RULE("packed-indirect", "2.8.19",
                                   "a flag other than WRITE in an "
                                   "indirect table"),
    [VRULE_PACKED_TABLE] = RULE("packed-table", "2.8.19", "an indirect table longer than the ring"),
    [VRULE_PACKED_LIST] = RULE("packed-list", "2.8.19", "an indirect descriptor in a list"),
};
