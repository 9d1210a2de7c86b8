/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random programs: weir's verdict against Linux's, and what both accept run by both engines and
 * Linux. What weir accepts also runs in the checking interpreter, on hostile inputs: an access it
 * may not make is an unsound accept, whatever Linux thinks.
 *
 * With a seed as argument, shows that program and what both verifiers say of it. Else:
 *   WEIR_DIFF_PROGRAMS  how many (default 4000); WEIR_DIFF_SEED  the first seed (default 1)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_insn.h"
#include "gen.h"
#include "judge.h"
#include "weir/base/bits.h"
#include "weir/vm/disasm.h"
#include "weir/vm/rewrite.h"

#define DEFAULT_PROGRAMS      4000
#define JUDGE_RUNS            4
#define JUDGE_RUNS_UNCERTAIN  40
#define MAX_PER_MILLE_REFUSED 5 /* of what Linux accepts, weir may refuse so much */
#define CAUSES                64

enum outcome { FINE, UNSOUND, DIFFERS, BROKEN };

static struct trio *t;
static struct judge *judge;
static char why[1024];
static uint64_t accepted_both, refused_both, only_weir, only_linux, address_dependent, runs;

/* Causes, with how often they came up. */
struct causes {
	struct {
		char text[120];
		uint64_t count, seed;
	} v[CAUSES];
	uint32_t count;
};

static struct causes weir_causes, linux_causes;

static void count_cause(struct causes *c, const char *text, uint64_t seed)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (!strcmp(c->v[i].text, text)) {
			c->v[i].count++;
			return;
		}
	if (c->count == CAUSES)
		return;
	snprintf(c->v[c->count].text, sizeof(c->v[0].text), "%s", text);
	c->v[c->count].seed = seed;
	c->v[c->count++].count = 1;
}

static void print_causes(const char *title, const struct causes *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		printf("# %s: %llu times, first seed %llu: %s\n", title,
		       (unsigned long long)c->v[i].count, (unsigned long long)c->v[i].seed,
		       c->v[i].text);
}

static void print_program(const struct gen_prog *p)
{
	for (uint32_t i = 0; i < p->insn_count;) {
		WEIR_DIAG_ON_STACK(line, 200);
		uint32_t n = weir_disasm_insn(p->insns, p->insn_count, i, NULL, &line);

		if (p->insns[i].code != (BPF_JMP | BPF_JA) || p->insns[i].off)
			printf("# %3u: %s\n", i, line.buf);
		i += n ? n : 1;
	}
}

static struct weir_prog_raw raw_of(const struct gen_prog *p)
{
	return (struct weir_prog_raw){
		.type = p->type,
		.license = "GPL",
		.name = "generated",
		.insns = (struct bpf_insn *)p->insns,
		.insn_count = p->insn_count,
	};
}

/* The line of Linux's log that says why, with its numbers taken out. */
static void linux_cause(const struct weir_prog_raw *raw, char *text, size_t size)
{
	static char log[1 << 20];
	char *end, *line, *from = NULL;
	size_t n = 0;

	log[0] = 0;
	trio_linux_verdict(t, raw, log, sizeof(log));
	for (line = strtok_r(log, "\n", &end); line; line = strtok_r(NULL, "\n", &end))
		if (strncmp(line, "processed ", 10) && strncmp(line, "verification time", 17) &&
		    strncmp(line, "stack depth", 11))
			from = line;
	for (; from && *from && n + 1 < size; from++) {
		bool digit = *from >= '0' && *from <= '9';

		if (!digit || !n || text[n - 1] != '#')
			text[n++] = digit ? '#' : *from;
	}
	text[n] = 0;
}

/* Would a loader who may not see addresses be let load it? Then no result depends on them. */
static bool shows_addresses(const struct weir_prog_raw *raw)
{
	struct weir_verify_opts opts = {.role = WEIR_ROLE_LOAD};
	struct weir_map_ref refs[TRIO_MAPS];
	struct weir_prog_raw with = *raw;
	struct weir_prog_ok *ok = NULL;
	int err;

	for (uint32_t m = 0; m < t->map_count; m++)
		refs[m] = (struct weir_map_ref){.def = t->maps[TRIO_INTERP][m]->def};
	with.maps = refs;
	with.map_count = t->map_count;
	err = weir_verify(&with, &opts, NULL, NULL, NULL, &ok);
	weir_prog_ok_free(&ok);
	return err != 0;
}

static bool maps_same(bool with_linux)
{
	bool linux_too = t->linux_too, same = true;

	t->linux_too = linux_too && with_linux;
	for (uint32_t m = 0; m < GEN_MAPS && same; m++)
		same = trio_map_same(t, m);
	t->linux_too = linux_too;
	if (!same)
		snprintf(why, sizeof(why), "%.1000s", t->why);
	return same;
}

/*
 * Where xdp_load_bytes fails, weir clears what it should have filled and Linux leaves it: a listed
 * difference. Such programs are compared between weir's engines only.
 */
static bool has_listed_difference(const struct gen_prog *p)
{
	for (uint32_t i = 0; i < p->insn_count; i++)
		if (p->insns[i].code == (BPF_JMP | BPF_CALL) && !p->insns[i].src_reg &&
		    p->insns[i].imm == BPF_FUNC_xdp_load_bytes)
			return true;
	return false;
}

static enum outcome run_all(const struct gen_prog *p, uint32_t prog, uint64_t seed)
{
	struct gen_rng rng = {.state = seed ^ 0xfaceULL};
	struct __sk_buff ctx = {};
	uint8_t data[256];

	judge_fill_maps(t, &rng);
	for (int i = 0; i < 3; i++) {
		struct trio_run run = {.prog_type = p->type,
				       .data = data,
				       .without_linux = has_listed_difference(p),
				       .data_bytes = i ? 34 + gen_pick(&rng, 200) : 64};

		for (size_t b = 0; b < sizeof(data); b++)
			data[b] = (uint8_t)gen_edge(&rng);
		if (p->type != BPF_PROG_TYPE_XDP) {
			ctx.mark = (uint32_t)gen_edge(&rng);
			ctx.priority = (uint32_t)gen_edge(&rng);
			for (int k = 0; k < 5; k++)
				ctx.cb[k] = (uint32_t)gen_edge(&rng);
			run.ctx = &ctx;
			run.ctx_bytes = sizeof(ctx);
		}
		runs++;
		if (trio_run(t, prog, &run, NULL) > 0) {
			snprintf(why, sizeof(why), "run %d: %.900s", i, t->why);
			return DIFFERS;
		}
	}
	return maps_same(!has_listed_difference(p)) ? FINE : DIFFERS;
}

/* What only weir accepts is made ready by hand and judged at length. */
static enum outcome judge_alone(const struct weir_prog_raw *raw, uint64_t seed)
{
	struct weir_verify_opts opts = {.role = WEIR_ROLE_ADMIN};
	struct weir_map_ref refs[TRIO_MAPS];
	struct weir_prog_raw with = *raw;
	struct weir_prog_ok *ok = NULL;
	struct weir_prog_low *low = NULL;
	WEIR_DIAG_ON_STACK(diag, 300);
	const char *fault = NULL;
	int err;

	for (uint32_t m = 0; m < t->map_count; m++)
		refs[m] = (struct weir_map_ref){.def = t->maps[TRIO_INTERP][m]->def};
	with.maps = refs;
	with.map_count = t->map_count;
	err = weir_verify(&with, &opts, NULL, NULL, NULL, &ok);
	if (!err)
		err = weir_rewrite(ok, t->maps[TRIO_INTERP], NULL, &diag, &low);
	if (!err)
		fault = judge_runs(judge, low, seed, JUDGE_RUNS_UNCERTAIN);
	if (err || fault)
		snprintf(why, sizeof(why), "only weir accepts it; %s", err ? diag.buf : fault);
	weir_prog_low_free(&low);
	weir_prog_ok_free(&ok);
	return err ? BROKEN : fault ? UNSOUND : FINE;
}

static enum outcome check(const struct gen_prog *p, uint64_t seed, bool count)
{
	struct weir_prog_raw raw = raw_of(p);
	int weir_err, linux_err, prog;
	struct weir_reject reject = {};
	char text[120];
	const char *fault;
	enum outcome outcome = FINE;

	prog = trio_prog_add(t, &raw, &weir_err, &linux_err, &reject, NULL);
	if (prog < 0) {
		if (weir_err && linux_err) {
			refused_both += count;
		} else if (weir_err) {
			only_linux += count;
			snprintf(text, sizeof(text), "%s: %.80s", reject.reason_id, reject.message);
			if (count)
				count_cause(&weir_causes, text, seed);
		} else if (linux_err) {
			only_weir += count;
			if (count) {
				linux_cause(&raw, text, sizeof(text));
				count_cause(&linux_causes, text, seed);
			}
			return judge_alone(&raw, seed);
		} else {
			snprintf(why, sizeof(why), "accepted, but %.900s", t->why);
			return BROKEN;
		}
		return FINE;
	}
	accepted_both += count;
	fault = judge_runs(judge, t->progs[prog].low[TRIO_INTERP], seed, JUDGE_RUNS);
	if (fault) {
		snprintf(why, sizeof(why), "Linux accepts it, too; %s", fault);
		outcome = UNSOUND;
	} else if (shows_addresses(&raw)) {
		address_dependent += count;
	} else {
		outcome = run_all(p, (uint32_t)prog, seed);
	}
	trio_drop_progs(t);
	return outcome;
}

/* Takes out what is not needed for the same outcome; instructions become jumps to the next. */
static void minimise(struct gen_prog *p, uint64_t seed, enum outcome wanted)
{
	bool smaller = true;

	for (int round = 0; smaller && round < 4; round++) {
		smaller = false;
		for (uint32_t i = 0; i < p->insn_count; i++) {
			struct gen_prog try = *p;
			bool wide = p->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW);

			if (p->insns[i].code != (BPF_JMP | BPF_JA) || p->insns[i].off) {
				try.insns[i] = JA(0);
				if (wide)
					try.insns[i + 1] = JA(0);
				if (check(&try, seed, false) == wanted) {
					*p = try;
					smaller = true;
				}
			}
			i += wide;
		}
	}
}

static const char *outcome_text(enum outcome o)
{
	return o == UNSOUND ? "UNSOUND ACCEPT" : o == DIFFERS ? "results differ" : "not made ready";
}

static uint32_t run_seeds(uint64_t first, uint64_t programs)
{
	static struct gen_prog p;
	uint32_t failures = 0;

	for (uint64_t seed = first; seed < first + programs; seed++) {
		enum outcome o;

		gen_program(seed, &p);
		o = check(&p, seed, true);
		if (o == FINE)
			continue;
		printf("# seed %llu, program type %u: %s: %s\n", (unsigned long long)seed, p.type,
		       outcome_text(o), why);
		if (++failures > 10)
			break;
		minimise(&p, seed, o);
		check(&p, seed, false);
		printf("# minimised (numbers missing: taken out): %s\n", why);
		print_program(&p);
	}
	return failures;
}

/* One program, with what both verifiers say: for a look at a seed that came up. */
static int show(uint64_t seed)
{
	static struct gen_prog p;
	static char log[1 << 20];
	struct weir_diag diag;
	struct weir_prog_raw raw;
	int weir_err, linux_err, prog;

	gen_program(seed, &p);
	raw = raw_of(&p);
	print_program(&p);
	weir_diag_init(&diag, log, sizeof(log));
	prog = trio_prog_add(t, &raw, &weir_err, &linux_err, NULL, &diag);
	printf("weir %d, Linux %d, ready %d\n%s\n", weir_err, linux_err, prog, log);
	trio_linux_verdict(t, &raw, log, sizeof(log));
	printf("%s\n", log);
	return 0;
}

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	uint64_t programs = from_env("WEIR_DIFF_PROGRAMS", DEFAULT_PROGRAMS);
	uint64_t first = from_env("WEIR_DIFF_SEED", 1);
	struct weir_codemem *codemem = NULL;
	const char *reason = NULL;
	uint32_t failures;
	bool few_refused, linux_too;

	setvbuf(stdout, NULL, _IOLBF, 0);
	trio_setup_thread();
	linux_too = kernel_oracle_usable(&reason);
	if (!linux_too)
		printf("# without Linux: %s\n", reason);
	if (weir_codemem_new(0, NULL, &codemem) || trio_new(codemem, linux_too, &t))
		return 1;
	for (uint32_t m = 0; m < GEN_MAPS; m++)
		if (trio_map_add(t, &gen_maps[m]) < 0) {
			printf("Bail out! %s\n", t->why);
			return 1;
		}
	if (judge_new(t, &judge))
		return 1;
	if (argc > 1)
		return show(strtoull(argv[1], NULL, 0));
	printf("1..2\n");
	failures = run_seeds(first, programs);
	few_refused = !linux_too ||
		      only_linux * 1000 <= (accepted_both + only_linux) * MAX_PER_MILLE_REFUSED;
	print_causes("only Linux accepts", &weir_causes);
	print_causes("only weir accepts; Linux", &linux_causes);
	printf("# %llu programs: %llu accepted by both, %llu refused by both, %llu only by weir, "
	       "%llu only by Linux accepted\n",
	       (unsigned long long)programs, (unsigned long long)accepted_both,
	       (unsigned long long)refused_both, (unsigned long long)only_weir,
	       (unsigned long long)only_linux);
	printf("# %llu runs compared; %llu programs not run: results depend on addresses\n",
	       (unsigned long long)runs, (unsigned long long)address_dependent);
	printf("%s 1 - %llu generated programs: no unsound accept, same results\n",
	       failures ? "not ok" : "ok", (unsigned long long)programs);
	printf("%s 2 - weir accepts what Linux accepts (but %llu of %llu)%s%s\n",
	       few_refused ? "ok" : "not ok", (unsigned long long)only_linux,
	       (unsigned long long)(accepted_both + only_linux), linux_too ? "" : " # SKIP ",
	       linux_too ? "" : reason);
	judge_free(&judge);
	trio_free(&t);
	weir_codemem_free(&codemem);
	return failures || !few_refused;
}
