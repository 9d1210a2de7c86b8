/* SPDX-License-Identifier: BSD-3-Clause */
/* The text forms of values. Nothing here trusts its input's length or range. */
#include "schema.h"

#include "weir/base/bits.h"

#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* The largest first, so that formatting finds the shortest form. */
static const struct unit size_units[] = {
	{"TiB", 1ULL << 40},
	{"GiB", 1ULL << 30},
	{"MiB", 1ULL << 20},
	{"KiB", 1ULL << 10},
	{"B", 1},
};
static const struct unit duration_units[] = {
	{"s", 1000000000},
	{"ms", 1000000},
	{"us", 1000},
	{"ns", 1},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Decimal digits from *text on, without a leading zero: 010 means 8 to some and 10 to others. */
static bool take_number(const char **text, uint64_t *out)
{
	const char *s = *text;
	uint64_t n = 0;

	if (!is_digit(*s) || (*s == '0' && is_digit(s[1])))
		return false;
	for (; is_digit(*s); s++)
		if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			return false;
	*text = s;
	*out = n;
	return true;
}

bool weir_config_parse_number(const char *text, uint64_t *out)
{
	uint64_t n;

	if (!take_number(&text, &n) || *text)
		return false;
	*out = n;
	return true;
}

static bool parse_with_unit(const char *text, const struct unit *units, size_t n_units,
			    uint64_t *out)
{
	uint64_t n;

	if (!take_number(&text, &n))
		return false;
	if (*text == ' ')
		text++;
	for (size_t i = 0; i < n_units; i++)
		if (!strcmp(text, units[i].name))
			return !__builtin_mul_overflow(n, units[i].factor, out);
	return false;
}

bool weir_config_parse_size(const char *text, uint64_t *out_bytes)
{
	return parse_with_unit(text, size_units, WEIR_ARRAY_LEN(size_units), out_bytes);
}

bool weir_config_parse_duration(const char *text, uint64_t *out_ns)
{
	return parse_with_unit(text, duration_units, WEIR_ARRAY_LEN(duration_units), out_ns);
}

/* 640, 0640 and 0o640 are the same mode, as chmod(1) and either YAML would have it. */
bool weir_config_parse_mode(const char *text, uint32_t *out)
{
	uint32_t mode = 0;
	size_t digits;

	if (text[0] == '0' && text[1] == 'o')
		text += 2;
	else if (text[0] == '0')
		text++;
	digits = strspn(text, "01234567");
	if (digits != 3 || text[digits])
		return false;
	for (; *text; text++)
		mode = mode << 3 | (uint32_t)(*text - '0');
	*out = mode;
	return true;
}

bool weir_config_parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"true", "yes", "on"};
	static const char *const no[] = {"false", "no", "off"};

	for (size_t i = 0; i < WEIR_ARRAY_LEN(yes); i++) {
		if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
			*out = !strcmp(text, yes[i]);
			return true;
		}
	}
	return false;
}

static uint64_t bits_between(uint64_t low, uint64_t high)
{
	return (UINT64_MAX >> (63 - (high - low))) << low;
}

/* "0-3,6" */
bool weir_config_parse_queues(const char *text, uint64_t *out)
{
	uint64_t queues = 0;

	for (;;) {
		uint64_t low, high;

		if (!take_number(&text, &low))
			return false;
		high = low;
		if (*text == '-' && (text++, !take_number(&text, &high)))
			return false;
		if (low > high || high >= WEIR_CONFIG_MAX_RX_QUEUES)
			return false;
		queues |= bits_between(low, high);
		if (!*text)
			break;
		if (*text++ != ',')
			return false;
	}
	*out = queues;
	return true;
}

static void format_with_unit(struct weir_diag *diag, uint64_t n, const struct unit *units,
			     size_t n_units)
{
	size_t i = 0;

	while (i < n_units - 1 && (!n || n % units[i].factor))
		i++;
	weir_diag_printf(diag, "%llu%s", (unsigned long long)(n / units[i].factor), units[i].name);
}

void weir_config_format_size(struct weir_diag *diag, uint64_t bytes)
{
	format_with_unit(diag, bytes, size_units, WEIR_ARRAY_LEN(size_units));
}

void weir_config_format_duration(struct weir_diag *diag, uint64_t ns)
{
	format_with_unit(diag, ns, duration_units, WEIR_ARRAY_LEN(duration_units));
}

void weir_config_format_queues(struct weir_diag *diag, uint64_t queues)
{
	const char *comma = "";

	for (unsigned int q = 0; q < 64; q++) {
		unsigned int first = q;

		if (!(queues >> q & 1))
			continue;
		while (q < 63 && queues >> (q + 1) & 1)
			q++;
		if (first == q)
			weir_diag_printf(diag, "%s%u", comma, q);
		else
			weir_diag_printf(diag, "%s%u-%u", comma, first, q);
		comma = ",";
	}
}

static void expect_number(struct weir_diag *diag, const struct weir_config_key *key)
{
	if (key->min == key->max)
		weir_diag_printf(diag, "%llu", (unsigned long long)key->min);
	else
		weir_diag_printf(diag, "a whole number from %llu to %llu",
				 (unsigned long long)key->min, (unsigned long long)key->max);
}

static void expect_with_unit(struct weir_diag *diag, const struct weir_config_key *key)
{
	bool size = key->type == WEIR_CONFIG_T_SIZE;
	void (*format)(struct weir_diag *, uint64_t) =
		size ? weir_config_format_size : weir_config_format_duration;

	weir_diag_printf(diag, "a %s from ", size ? "size" : "duration");
	format(diag, key->min);
	weir_diag_printf(diag, " to ");
	format(diag, key->max);
	weir_diag_printf(diag, " with its unit (%s)",
			 size ? "B, KiB, MiB, GiB, TiB" : "ns, us, ms, s");
}

static void expect_word_of(struct weir_diag *diag, const struct weir_config_word *words)
{
	for (const struct weir_config_word *w = words; w->name; w++)
		weir_diag_printf(diag, "%s%s",
				 w == words  ? ""
				 : w[1].name ? ", "
					     : " or ",
				 w->name);
}

static void expect_workers(struct weir_diag *diag, const struct weir_config_key *key)
{
	expect_number(diag, key);
	weir_diag_printf(diag, " or a list of mappings (cpu)");
}

void weir_config_expected(struct weir_diag *diag, const struct weir_config_key *key)
{
	switch (key->type) {
	case WEIR_CONFIG_T_BOOL: weir_diag_printf(diag, "true or false"); break;
	case WEIR_CONFIG_T_UINT:
	case WEIR_CONFIG_T_COUNT: expect_number(diag, key); break;
	case WEIR_CONFIG_T_SIZE:
	case WEIR_CONFIG_T_DURATION: expect_with_unit(diag, key); break;
	case WEIR_CONFIG_T_MODE: weir_diag_printf(diag, "an octal mode such as 0660"); break;
	case WEIR_CONFIG_T_ENUM: expect_word_of(diag, key->words); break;
	case WEIR_CONFIG_T_QUEUES:
		weir_diag_printf(diag, "queues from 0 to %d such as 0-3 or 0,2",
				 WEIR_CONFIG_MAX_RX_QUEUES - 1);
		break;
	case WEIR_CONFIG_T_TEXT: weir_diag_printf(diag, "%s", key->format->expected); break;
	case WEIR_CONFIG_T_TEXTS:
		weir_diag_printf(diag, "%s, or a list of such", key->format->expected);
		break;
	case WEIR_CONFIG_T_NUMBERS:
		weir_diag_printf(diag, "a list of whole numbers from %llu to %llu",
				 (unsigned long long)key->min, (unsigned long long)key->max);
		break;
	case WEIR_CONFIG_T_SECTION: weir_diag_printf(diag, "a mapping of keys"); break;
	case WEIR_CONFIG_T_LIST: weir_diag_printf(diag, "a list of mappings"); break;
	case WEIR_CONFIG_T_WORKERS: expect_workers(diag, key); break;
	}
	if (key->word)
		weir_diag_printf(diag, ", or %s", key->word);
}

static void format_texts(struct weir_diag *diag, const struct weir_config_strings *texts)
{
	weir_diag_printf(diag, "[");
	for (size_t i = 0; i < texts->len; i++)
		weir_diag_printf(diag, "%s%s", i ? ", " : "", texts->v[i]);
	weir_diag_printf(diag, "]");
}

static void format_numbers(struct weir_diag *diag, const struct weir_config_numbers *numbers)
{
	weir_diag_printf(diag, "[");
	for (size_t i = 0; i < numbers->len; i++)
		weir_diag_printf(diag, "%s%u", i ? ", " : "", numbers->v[i]);
	weir_diag_printf(diag, "]");
}

static void format_workers(struct weir_diag *diag, const struct weir_config_workers *workers)
{
	bool pinned = false;

	for (size_t i = 0; i < workers->len; i++)
		pinned |= workers->v[i].cpu != WEIR_CONFIG_ANY_CPU;
	weir_diag_printf(diag, "%zu", workers->len);
	for (size_t i = 0; pinned && i < workers->len; i++) {
		weir_diag_printf(diag, "%s", i ? "," : " on cpu ");
		if (workers->v[i].cpu == WEIR_CONFIG_ANY_CPU)
			weir_diag_printf(diag, "any");
		else
			weir_diag_printf(diag, "%u", workers->v[i].cpu);
	}
}

static void format_section(struct weir_diag *diag, const struct weir_config_section *section,
			   const char *value)
{
	weir_diag_printf(diag, "{");
	for (size_t i = 0; i < section->len; i++) {
		weir_diag_printf(diag, "%s%s: ", i ? ", " : "", section->keys[i].name);
		weir_config_format_value(diag, &section->keys[i], value + section->keys[i].offset);
	}
	weir_diag_printf(diag, "}");
}

static void format_list(struct weir_diag *diag, const struct weir_config_key *key,
			const void *value)
{
	/* Every list of the model has this shape; only the element's type differs. */
	const struct weir_config_maps *list = value;
	const char *elems = (const char *)list->v;

	weir_diag_printf(diag, "[");
	for (size_t i = 0; i < list->len; i++) {
		weir_diag_printf(diag, "%s", i ? ", " : "");
		format_section(diag, key->section, elems + i * key->section->size_bytes);
	}
	weir_diag_printf(diag, "]");
}

static bool format_word(struct weir_diag *diag, const struct weir_config_key *key, uint64_t n)
{
	if (!key->word || n != key->word_value)
		return false;
	weir_diag_printf(diag, "%s", key->word);
	return true;
}

static void format_enum(struct weir_diag *diag, const struct weir_config_key *key, int n)
{
	for (const struct weir_config_word *w = key->words; w->name; w++)
		if (w->value == n)
			weir_diag_printf(diag, "%s", w->name);
}

void weir_config_format_value(struct weir_diag *diag, const struct weir_config_key *key,
			      const void *value)
{
	uint64_t wide = 0;
	uint32_t narrow = 0;

	switch (key->type) {
	case WEIR_CONFIG_T_BOOL:
		weir_diag_printf(diag, "%s", *(const bool *)value ? "true" : "false");
		break;
	case WEIR_CONFIG_T_UINT:
		narrow = *(const uint32_t *)value;
		if (!format_word(diag, key, narrow))
			weir_diag_printf(diag, "%u", narrow);
		break;
	case WEIR_CONFIG_T_MODE: weir_diag_printf(diag, "%04o", *(const uint32_t *)value); break;
	case WEIR_CONFIG_T_ENUM: format_enum(diag, key, *(const int *)value); break;
	case WEIR_CONFIG_T_COUNT:
	case WEIR_CONFIG_T_SIZE:
	case WEIR_CONFIG_T_DURATION:
	case WEIR_CONFIG_T_QUEUES:
		wide = *(const uint64_t *)value;
		if (format_word(diag, key, wide))
			break;
		if (key->type == WEIR_CONFIG_T_COUNT)
			weir_diag_printf(diag, "%llu", (unsigned long long)wide);
		else if (key->type == WEIR_CONFIG_T_SIZE)
			weir_config_format_size(diag, wide);
		else if (key->type == WEIR_CONFIG_T_DURATION)
			weir_config_format_duration(diag, wide);
		else
			weir_config_format_queues(diag, wide);
		break;
	case WEIR_CONFIG_T_TEXT:
		if (*(const char *const *)value)
			weir_diag_printf(diag, "%s", *(const char *const *)value);
		break;
	case WEIR_CONFIG_T_TEXTS: format_texts(diag, value); break;
	case WEIR_CONFIG_T_NUMBERS: format_numbers(diag, value); break;
	case WEIR_CONFIG_T_SECTION: format_section(diag, key->section, value); break;
	case WEIR_CONFIG_T_LIST: format_list(diag, key, value); break;
	case WEIR_CONFIG_T_WORKERS: format_workers(diag, value); break;
	}
}
