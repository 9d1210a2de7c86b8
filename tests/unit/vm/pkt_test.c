/* SPDX-License-Identifier: BSD-3-Clause */
#include "weir/vm/pkt.h"

#include "../weir_test.h"

#include <errno.h>

#define HEADROOM 64
#define BYTES    60

static uint8_t buf[256];
static struct weir_pkt pkt;

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	weir_pkt_init_flat(&pkt, buf, sizeof(buf), HEADROOM, BYTES);
	return 0;
}

static void pkt_head__limits(void **state)
{
	assert_int_equal(weir_pkt_adjust_head(&pkt, -HEADROOM - 1), -EINVAL);
	assert_int_equal(weir_pkt_adjust_head(&pkt, INT32_MIN), -EINVAL);
	assert_int_equal(weir_pkt_adjust_head(&pkt, INT32_MAX), -EINVAL);
	assert_int_equal(weir_pkt_adjust_head(&pkt, BYTES - 13), -EINVAL);
	assert_ptr_equal(pkt.data, buf + HEADROOM);
	assert_int_equal(weir_pkt_adjust_head(&pkt, BYTES - 14), 0);
	assert_int_equal(weir_pkt_len(&pkt), 14);
	assert_int_equal(weir_pkt_adjust_head(&pkt, -(HEADROOM + BYTES - 14)), 0);
	assert_ptr_equal(pkt.data, buf);
	assert_ptr_equal(pkt.data_meta, buf);
}

static void pkt_head__metadata_moves_along(void **state)
{
	assert_int_equal(weir_pkt_adjust_meta(&pkt, -8), 0);
	memcpy(pkt.data_meta, "metadata", 8);
	assert_int_equal(weir_pkt_adjust_head(&pkt, -(HEADROOM - 8) - 1), -EINVAL);
	assert_memory_equal(pkt.data_meta, "metadata", 8);
	assert_int_equal(weir_pkt_adjust_head(&pkt, -(HEADROOM - 8)), 0);
	assert_ptr_equal(pkt.data_meta, buf);
	assert_memory_equal(buf, "metadata", 8);
	assert_int_equal(weir_pkt_adjust_head(&pkt, 4), 0);
	assert_memory_equal(buf + 4, "metadata", 8);
}

static void pkt_meta__limits(void **state)
{
	assert_int_equal(weir_pkt_adjust_meta(&pkt, -2), -EACCES);
	assert_int_equal(weir_pkt_adjust_meta(&pkt, 4), -EINVAL);
	assert_int_equal(weir_pkt_adjust_meta(&pkt, -HEADROOM - 4), -EINVAL);
	assert_int_equal(weir_pkt_adjust_meta(&pkt, INT32_MIN), -EINVAL);
	assert_int_equal(weir_pkt_adjust_meta(&pkt, INT32_MAX), -EINVAL);
	assert_int_equal(weir_pkt_adjust_meta(&pkt, -HEADROOM), 0);
	assert_ptr_equal(pkt.data_meta, buf);
	assert_int_equal(weir_pkt_adjust_meta(&pkt, HEADROOM), 0);
}

static void pkt_meta__at_most_252(void **state)
{
	static uint8_t large[1024];

	weir_pkt_init_flat(&pkt, large, sizeof(large), 512, 60);
	assert_int_equal(weir_pkt_adjust_meta(&pkt, -256), -EACCES);
	assert_int_equal(weir_pkt_adjust_meta(&pkt, -252), 0);
}

static void pkt_tail__limits_and_zeroes(void **state)
{
	int32_t room = (int32_t)sizeof(buf) - HEADROOM - BYTES;

	assert_int_equal(weir_pkt_adjust_tail(&pkt, room + 1), -EINVAL);
	assert_int_equal(weir_pkt_adjust_tail(&pkt, INT32_MAX), -EINVAL);
	assert_int_equal(weir_pkt_adjust_tail(&pkt, INT32_MIN), -EINVAL);
	assert_int_equal(weir_pkt_adjust_tail(&pkt, -(BYTES - 13)), -EINVAL);
	assert_int_equal(weir_pkt_adjust_tail(&pkt, -(BYTES - 14)), 0);
	assert_int_equal(weir_pkt_len(&pkt), 14);
	assert_int_equal(weir_pkt_adjust_tail(&pkt, room + BYTES - 14), 0);
	for (uint32_t i = 14; i < weir_pkt_len(&pkt); i++)
		assert_int_equal(pkt.data[i], 0);
	assert_ptr_equal(pkt.data_end, pkt.hard_end);
}

static void pkt_bytes__bounds(void **state)
{
	uint8_t to[BYTES];

	assert_int_equal(weir_pkt_load(&pkt, 0, to, BYTES), 0);
	assert_memory_equal(to, buf + HEADROOM, BYTES);
	assert_int_equal(weir_pkt_load(&pkt, 1, to, BYTES), -EFAULT);
	assert_int_equal(weir_pkt_load(&pkt, UINT32_MAX, to, 2), -EFAULT);
	assert_int_equal(weir_pkt_load(&pkt, 2, to, UINT32_MAX), -EFAULT);
	assert_int_equal(weir_pkt_store(&pkt, BYTES - 1, "ab", 2), -EFAULT);
	assert_int_equal(pkt.data_end[0], HEADROOM + BYTES);
	assert_int_equal(weir_pkt_store(&pkt, BYTES - 2, "ab", 2), 0);
	assert_memory_equal(pkt.data_end - 2, "ab", 2);
}

/* A backend that counts and does as it is told. */
static int answer, calls;

static int backend_grow(struct weir_pkt *p, uint32_t bytes)
{
	calls++;
	return answer;
}

static int backend_linearise(struct weir_pkt *p)
{
	calls++;
	if (!answer)
		p->rest_len = 0;
	return answer;
}

static int backend_load(const struct weir_pkt *p, uint32_t off, void *to, uint32_t len)
{
	calls++;
	return 0;
}

static const struct weir_pkt_ops backend = {
	.grow_head = backend_grow, .linearise = backend_linearise, .load = backend_load};

static void pkt_backend__asked_only_beyond_the_segment(void **state)
{
	uint8_t to[BYTES + 40];

	pkt.ops = &backend;
	pkt.rest_len = 40;
	calls = 0;
	assert_int_equal(weir_pkt_len(&pkt), BYTES + 40);
	assert_int_equal(weir_pkt_load(&pkt, 0, to, BYTES), 0);
	assert_int_equal(weir_pkt_adjust_head(&pkt, -HEADROOM), 0);
	assert_int_equal(weir_pkt_adjust_head(&pkt, HEADROOM), 0);
	assert_int_equal(calls, 0);
	assert_int_equal(weir_pkt_load(&pkt, 1, to, BYTES), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(weir_pkt_load(&pkt, 1, to, BYTES + 40), -EFAULT);
	assert_int_equal(weir_pkt_store(&pkt, 1, to, BYTES), -EFAULT); /* it has no store */
	assert_int_equal(calls, 1);
}

static void pkt_backend__failures_leave_the_packet(void **state)
{
	pkt.ops = &backend;
	pkt.rest_len = 40;
	calls = 0;
	answer = -ENOMEM;
	assert_int_equal(weir_pkt_adjust_head(&pkt, -HEADROOM - 1), -EINVAL);
	assert_int_equal(weir_pkt_adjust_tail(&pkt, 1), -EINVAL);
	assert_int_equal(calls, 2);
	assert_ptr_equal(pkt.data, buf + HEADROOM);
	assert_int_equal(weir_pkt_len(&pkt), BYTES + 40);
	answer = 0; /* says yes, but makes no room */
	assert_int_equal(weir_pkt_adjust_head(&pkt, -HEADROOM - 1), -EINVAL);
	assert_ptr_equal(pkt.data, buf + HEADROOM);
	assert_int_equal(weir_pkt_adjust_tail(&pkt, 1), 0);
	assert_int_equal(weir_pkt_len(&pkt), BYTES + 1);
}

static void skb_load__reaches_the_mac_header(void **state)
{
	struct weir_skb_ctx skb = {.mac_off = -14};
	uint8_t to[32];

	skb.pkt = pkt;
	assert_int_equal(weir_skb_load(&skb, -14, to, 20), 0);
	assert_memory_equal(to, buf + HEADROOM - 14, 20);
	assert_int_equal(weir_skb_load(&skb, -15, to, 1), -EFAULT);
	assert_int_equal(weir_skb_load(&skb, BYTES, to, 1), -EFAULT);
	assert_int_equal(weir_skb_load(&skb, INT64_MAX, to, 1), -EFAULT);
	assert_int_equal(weir_skb_load(&skb, INT64_MIN, to, 1), -EFAULT);
	assert_int_equal(weir_skb_load(&skb, -1, to, BYTES + 2), -EFAULT);
	skb.mac_off = 0;
	assert_int_equal(weir_skb_load(&skb, -1, to, 1), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pkt_head__limits, setup),
		cmocka_unit_test_setup(pkt_head__metadata_moves_along, setup),
		cmocka_unit_test_setup(pkt_meta__limits, setup),
		cmocka_unit_test_setup(pkt_meta__at_most_252, setup),
		cmocka_unit_test_setup(pkt_tail__limits_and_zeroes, setup),
		cmocka_unit_test_setup(pkt_bytes__bounds, setup),
		cmocka_unit_test_setup(pkt_backend__asked_only_beyond_the_segment, setup),
		cmocka_unit_test_setup(pkt_backend__failures_leave_the_packet, setup),
		cmocka_unit_test_setup(skb_load__reaches_the_mac_header, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
