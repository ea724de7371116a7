/*
 * A task that uses the processor: SHA-256 of 256 KiB that has the task's number in it. The
 * standard library of C has no hash, so this is one in plain C. Those of Go and of Python use the
 * processor's own instructions, where there are any.
 */
#ifndef BUSY_H
#define BUSY_H

#include "pool.h"

enum { BUSY_SIZE = 256 << 10 };

static const uint32_t sha256_rounds[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t right(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* One block of 64 bytes. */
static void sha256_block(uint32_t state[8], const unsigned char *data)
{
	uint32_t w[64], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5],
		       g = state[6], h = state[7];

	for (int i = 0; i < 16; i++, data += 4)
		w[i] = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] + (right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10);
	for (int i = 0; i < 64; i++) {
		uint32_t one = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + sha256_rounds[i] + w[i];
		uint32_t two = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));

		h = g;
		g = f;
		f = e;
		e = d + one;
		d = c;
		c = b;
		b = a;
		a = one + two;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

/* Of whole blocks. */
static void sha256(const unsigned char *data, size_t size, unsigned char *hash)
{
	uint32_t state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	unsigned char last[64] = { 0x80 };

	for (size_t at = 0; at < size; at += 64)
		sha256_block(state, data + at);
	for (int i = 0; i < 8; i++)
		last[63 - i] = (unsigned char)((uint64_t)size * 8 >> 8 * i);
	sha256_block(state, last);
	for (int i = 0; i < 32; i++)
		hash[i] = (unsigned char)(state[i / 4] >> (24 - i % 4 * 8));
}

static void busy(unsigned char *result, size_t size, uint64_t number)
{
	static unsigned char block[BUSY_SIZE], none[32];
	unsigned char hash[32];

	set_number(block, sizeof block, number);
	sha256(block, sizeof block, hash);
	if (memcmp(hash, none, sizeof hash) == 0)
		errx(1, "a hash cannot be that");
	set_number(result, size, number);
}

#endif
