/* The CRC of Ethernet's frame check sequence (IEEE 802.3, 3.2.9), as zlib's crc32 from 0. */
#ifndef CORE_CRC32_H
#define CORE_CRC32_H

#include "core/types.h"

uint32_t crc32_ieee(const void *p, size_t len);

#endif
