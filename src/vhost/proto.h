/*
 * vhost-user on the wire: "Vhost-user Protocol" of QEMU's documentation (docs/interop/vhost-user),
 * with the kernel's names where it has them. Numbers and layouts only; both sides use them. Words
 * are of the host's byte order, which for this program is little-endian.
 *
 * A message is a header of twelve bytes, a payload of `size` bytes, and descriptors that travel
 * with its first byte. The front end asks; some requests have a reply of the same number.
 */
#ifndef VHOST_PROTO_H
#define VHOST_PROTO_H

enum { /* the header */
       VU_HDR_REQUEST = 0,
       VU_HDR_FLAGS = 4,
       VU_HDR_SIZE = 8,
       VU_HDR_LEN = 12,
};
enum { /* its flags */
       VU_VERSION = 1,
       VU_VERSION_MASK = 3,
       VU_REPLY = 1 << 2,
       VU_NEED_REPLY = 1 << 3,
};

enum vu_request { /* front end to back end */
                  VU_GET_FEATURES = 1,
                  VU_SET_FEATURES = 2,
                  VU_SET_OWNER = 3,
                  VU_RESET_OWNER = 4,
                  VU_SET_MEM_TABLE = 5,
                  VU_SET_LOG_BASE = 6,
                  VU_SET_LOG_FD = 7,
                  VU_SET_VRING_NUM = 8,
                  VU_SET_VRING_ADDR = 9,
                  VU_SET_VRING_BASE = 10,
                  VU_GET_VRING_BASE = 11,
                  VU_SET_VRING_KICK = 12,
                  VU_SET_VRING_CALL = 13,
                  VU_SET_VRING_ERR = 14,
                  VU_GET_PROTOCOL_FEATURES = 15,
                  VU_SET_PROTOCOL_FEATURES = 16,
                  VU_GET_QUEUE_NUM = 17,
                  VU_SET_VRING_ENABLE = 18,
                  VU_SEND_RARP = 19,
                  VU_NET_SET_MTU = 20,
                  VU_SET_BACKEND_REQ_FD = 21,
                  VU_IOTLB_MSG = 22,
                  VU_SET_VRING_ENDIAN = 23,
                  VU_GET_CONFIG = 24,
                  VU_SET_CONFIG = 25,
                  VU_POSTCOPY_ADVISE = 28,
                  VU_POSTCOPY_LISTEN = 29,
                  VU_POSTCOPY_END = 30,
                  VU_GET_INFLIGHT_FD = 31,
                  VU_SET_INFLIGHT_FD = 32,
                  VU_GPU_SET_SOCKET = 33,
                  VU_RESET_DEVICE = 34,
                  VU_VRING_KICK = 35,
                  VU_GET_MAX_MEM_SLOTS = 36,
                  VU_ADD_MEM_REG = 37,
                  VU_REM_MEM_REG = 38,
                  VU_SET_STATUS = 39,
                  VU_GET_STATUS = 40,
                  VU_REQUESTS,
};
enum { /* back end to front end, over the descriptor of SET_BACKEND_REQ_FD */
       VU_BACKEND_CONFIG_CHANGE = 2,
       VU_BACKEND_VRING_CALL = 4,
       VU_BACKEND_VRING_ERR = 5,
};

enum { /* feature bits beside the device's: numbers, not masks */
       VHOST_F_LOG_ALL = 26,
       VHOST_USER_F_PROTOCOL_FEATURES = 30,
};
enum { /* protocol features: numbers */
       VU_F_MQ = 0,
       VU_F_LOG_SHMFD = 1,
       VU_F_RARP = 2,
       VU_F_REPLY_ACK = 3,
       VU_F_MTU = 4,
       VU_F_BACKEND_REQ = 5,
       VU_F_CROSS_ENDIAN = 6,
       VU_F_CRYPTO_SESSION = 7,
       VU_F_PAGEFAULT = 8,
       VU_F_CONFIG = 9,
       VU_F_BACKEND_SEND_FD = 10,
       VU_F_HOST_NOTIFIER = 11,
       VU_F_INFLIGHT_SHMFD = 12,
       VU_F_RESET_DEVICE = 13,
       VU_F_INBAND_NOTIFICATIONS = 14,
       VU_F_CONFIGURE_MEM_SLOTS = 15,
       VU_F_STATUS = 16,
};
#define VU_BIT(n) (1ull << (n))

/* ---- payloads: offsets and lengths ---- */

enum { VU_U64_LEN = 8 };
enum { /* SET_VRING_KICK, _CALL, _ERR: a u64 */
       VU_FD_QUEUE_MASK = 0xff,
       VU_FD_NONE = 1 << 8, /* no descriptor comes with it */
};
enum { /* SET_VRING_NUM, _BASE, _ENABLE, GET_VRING_BASE */
       VU_STATE_QUEUE = 0,
       VU_STATE_NUM = 4,
       VU_STATE_LEN = 8,
};
enum { /* SET_VRING_ADDR; addresses are the front end's, but log's, which is the guest's */
       VU_ADDR_QUEUE = 0,
       VU_ADDR_FLAGS = 4,
       VU_ADDR_DESC = 8,
       VU_ADDR_USED = 16,
       VU_ADDR_AVAIL = 24,
       VU_ADDR_LOG = 32,
       VU_ADDR_LEN = 40,
       VU_ADDR_F_LOG = 1,
};
enum { /* one region of memory */
       VU_REGION_GPA = 0,
       VU_REGION_SIZE = 8,
       VU_REGION_USER = 16,   /* where the front end has it */
       VU_REGION_OFFSET = 24, /* in its file */
       VU_REGION_LEN = 32,
};
enum { /* SET_MEM_TABLE: a count, padding, regions with a descriptor each */
       VU_TABLE_COUNT = 0,
       VU_TABLE_REGIONS = 8,
       VU_TABLE_MAX = 8,
};
enum { /* ADD_MEM_REG, REM_MEM_REG: padding, a region */
       VU_REG_REGION = 8,
       VU_REG_LEN = 40,
};
enum { /* SET_LOG_BASE */
       VU_LOG_SIZE = 0,
       VU_LOG_OFFSET = 8,
       VU_LOG_LEN = 16,
};
enum { /* GET_CONFIG, SET_CONFIG */
       VU_CONFIG_OFFSET = 0,
       VU_CONFIG_SIZE = 4,
       VU_CONFIG_FLAGS = 8,
       VU_CONFIG_DATA = 12,
       VU_CONFIG_MAX = 256, /* bytes of data */
};
enum { /* GET_INFLIGHT_FD, SET_INFLIGHT_FD */
       VU_INFLIGHT_SIZE = 0,
       VU_INFLIGHT_OFFSET = 8,
       VU_INFLIGHT_QUEUES = 16,
       VU_INFLIGHT_QUEUE_SIZE = 18,
       VU_INFLIGHT_LEN = 20,
       VU_INFLIGHT_LEN_PADDED = 24, /* as peers with a C struct send it */
};

#endif
