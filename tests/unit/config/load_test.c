/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_test.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *source_root;

/* Files in a directory of their own; messages are compared without its name. */
struct lab {
	char dir[64];
	char text[8192];
};

static int lab_setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	assert_non_null(lab);
	strcpy(lab->dir, "/tmp/weir-config-test.XXXXXX");
	assert_non_null(mkdtemp(lab->dir));
	*state = lab;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int lab_teardown(void **state)
{
	struct lab *lab = *state;

	nftw(lab->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(lab);
	return 0;
}

static const char *lab_path(const struct lab *lab, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", lab->dir, name);
	return path;
}

static void lab_write(const struct lab *lab, const char *name, const char *text)
{
	FILE *f = fopen(lab_path(lab, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void lab_mkdir(const struct lab *lab, const char *name)
{
	assert_int_equal(mkdir(lab_path(lab, name), 0755), 0);
}

/* Cuts every occurrence of "DIR/" out of the text. */
static void cut_dir(const struct lab *lab, char *text)
{
	size_t len = strlen(lab->dir) + 1;
	char *at;

	while ((at = strstr(text, lab->dir)))
		memmove(at, at + len, strlen(at + len) + 1);
}

static int lab_load(struct lab *lab, const char *name, const struct weir_config_opts *opts,
		    struct weir_config **out)
{
	struct weir_diag diag;
	int err;

	*out = NULL;
	weir_diag_init(&diag, lab->text, sizeof(lab->text));
	err = weir_config_load(lab_path(lab, name), opts, &diag, out);
	cut_dir(lab, lab->text);
	assert_true(!err == !!*out);
	return err;
}

static void load__drop_ins_in_order(void **state)
{
	static const struct weir_config_opts alone = {.no_drop_ins = true};
	struct lab *lab = *state;
	struct weir_config *c;

	lab_mkdir(lab, "weir.d");
	lab_write(lab, "weir.yaml",
		  "log: {level: error}\ncontrol: {mode: 0600, group: a}\nworkers: 2\n"
		  "ports:\n- {name: main, device: net_null0}\n");
	lab_write(lab, "weir.d/20-b.yaml",
		  "log: {level: debug}\nports:\n- {name: b, device: net_null2, pass: {to: main}}\n"
		  "programs:\n- {name: p, object: p.o, attach: [{port: a}]}\n");
	lab_write(lab, "weir.d/10-a.yaml",
		  "log: {level: notice}\ncontrol: {group: b}\nworkers: [{cpu: 4}]\n"
		  "ports:\n- {name: a, device: net_null1}\n");
	lab_write(lab, "weir.d/empty.yaml", "# nothing\n");
	lab_write(lab, "weir.d/hollow.yaml", "log:\nports:\nprograms: []\n");
	lab_write(lab, "weir.d/ignored.yaml.bak", "nonsense\n");
	lab_write(lab, "weir.d/.hidden.yaml", "nonsense\n");
	assert_int_equal(lab_load(lab, "weir.yaml", NULL, &c), 0);
	assert_int_equal(c->log.level, WEIR_LOG_DEBUG);
	assert_int_equal(c->control.mode, 0600);
	assert_string_equal(c->control.group, "b");
	assert_int_equal(c->workers.len, 1);
	assert_int_equal(c->workers.v[0].cpu, 4);
	assert_int_equal(c->ports.len, 3);
	assert_string_equal(c->ports.v[0].name, "main");
	assert_string_equal(c->ports.v[1].name, "a");
	assert_string_equal(c->ports.v[2].name, "b");
	assert_int_equal(c->ports.v[2].pass.port_idx, 0);
	assert_int_equal(c->programs.v[0].attach.v[0].port_idx, 1);
	/* A message names the place in the file that the text is in. */
	{
		WEIR_DIAG_ON_STACK(diag, 512);

		weir_config_fail(c, &c->ports.v[2].device, &diag, 0, "x");
		weir_config_fail(c, &c->control.group, &diag, 0, "y");
		cut_dir(lab, diag.buf);
		assert_string_equal(diag.buf, "weir.d/20-b.yaml:3:21: ports[0].device: x\n"
					      "weir.d/10-a.yaml:2:18: control.group: y");
	}
	weir_config_free(&c);
	assert_int_equal(lab_load(lab, "weir.yaml", &alone, &c), 0);
	assert_int_equal(c->ports.len, 1);
	assert_int_equal(c->log.level, WEIR_LOG_ERROR);
	weir_config_free(&c);
}

static void load__twins_in_two_files(void **state)
{
	struct lab *lab = *state;
	struct weir_config *c;

	lab_mkdir(lab, "weir.d");
	lab_write(lab, "weir.yaml", "ports:\n- {name: a, device: net_null0}\n");
	lab_write(lab, "weir.d/1.yaml", "ports: [{name: a, device: net_null1}]\n");
	assert_int_equal(lab_load(lab, "weir.yaml", NULL, &c), -EINVAL);
	assert_string_equal(lab->text,
			    "weir.d/1.yaml:1:16: ports[0].name: port \"a\" given twice, expected a "
			    "name of its own (first at weir.yaml:2:10)");
}

static void load__errors_of_all_files(void **state)
{
	struct lab *lab = *state;
	struct weir_config *c;

	lab_mkdir(lab, "x.d");
	lab_write(lab, "x.yaml", "log: {level: loud}\n");
	lab_write(lab, "x.d/1.yaml", "log: {level: debug}\n{\n");
	lab_write(lab, "x.d/2.yaml", "ports: 1\n");
	assert_int_equal(lab_load(lab, "x.yaml", NULL, &c), -EINVAL);
	assert_string_equal(
		lab->text,
		"x.yaml:1:14: log.level: \"loud\", expected error, warning, notice, info or debug\n"
		"x.d/1.yaml:3:1: not YAML: could not find expected ':' (while scanning a simple "
		"key from 2:1)\n"
		"x.d/2.yaml:1:8: ports: \"1\", expected a list of mappings");
}

static void load__files_that_cannot_be_read(void **state)
{
	struct lab *lab = *state;
	struct weir_config *c;
	char *big = malloc((1 << 20) + 2);

	assert_int_equal(lab_load(lab, "no.yaml", NULL, &c), -ENOENT);
	assert_string_equal(lab->text, "no.yaml: cannot open: No such file or directory");
	lab_mkdir(lab, "dir.yaml");
	assert_int_equal(lab_load(lab, "dir.yaml", NULL, &c), -EISDIR);
	assert_string_equal(lab->text, "dir.yaml: cannot read: Is a directory");
	assert_non_null(big);
	memset(big, '#', (1 << 20) + 1);
	big[(1 << 20) + 1] = 0;
	lab_write(lab, "big.yaml", big);
	free(big);
	assert_int_equal(lab_load(lab, "big.yaml", NULL, &c), -EFBIG);
	assert_string_equal(lab->text, "big.yaml: larger than 1 MiB, expected less");
}

static void object_find__order(void **state)
{
	struct lab *lab = *state;
	struct weir_config *c;
	struct weir_diag diag;
	char *path = NULL;

	lab_mkdir(lab, "one");
	lab_mkdir(lab, "two");
	lab_write(lab, "w.yaml",
		  "directories: {programs: [one, two]}\nprograms:\n- {name: p, object: p.o}\n"
		  "- {name: q, object: /no/such.o}\n");
	assert_int_equal(lab_load(lab, "w.yaml", NULL, &c), 0);
	weir_diag_init(&diag, lab->text, sizeof(lab->text));
	assert_int_equal(weir_config_object_find(c, &c->programs.v[0], &diag, &path), -ENOENT);
	assert_int_equal(weir_config_object_find(c, &c->programs.v[1], &diag, &path), -ENOENT);
	assert_null(path);
	cut_dir(lab, lab->text);
	/* The directory of the file itself stands without a slash behind it. */
	assert_non_null(strstr(lab->text, "w.yaml:3:21: programs[0].object: \"p.o\", expected a "
					  "file that exists in "));
	assert_non_null(strstr(lab->text, "w.yaml:4:21: programs[1].object: \"/no/such.o\", "
					  "expected a file that exists"));
	lab_mkdir(lab, "one/p.o"); /* not a file */
	lab_write(lab, "two/p.o", "");
	assert_int_equal(weir_config_object_find(c, &c->programs.v[0], NULL, &path), 0);
	assert_string_equal(path, lab_path(lab, "two/p.o"));
	free(path);
	lab_write(lab, "p.o", "");
	assert_int_equal(weir_config_object_find(c, &c->programs.v[0], NULL, &path), 0);
	assert_string_equal(path, lab_path(lab, "p.o"));
	free(path);
	weir_config_free(&c);
}

static void find__by_name(void **state)
{
	struct weir_config *c = take("ports: [{name: a, device: net_null0}]\n"
				     "programs: [{name: p, object: o}]\n");

	assert_ptr_equal(weir_config_port_find(c, "a"), &c->ports.v[0]);
	assert_null(weir_config_port_find(c, "p"));
	assert_ptr_equal(weir_config_program_find(c, "p"), &c->programs.v[0]);
	assert_null(weir_config_program_find(c, "a"));
	weir_config_free(&c);
}

static void load__shipped_files(void **state)
{
	static const struct {
		const char *file;
		size_t ports, programs, workers;
	} rows[] = {
		{"config/weir.yaml", 0, 0, 1},
		{"config/examples/pcap-lab.yaml", 2, 1, 1},
		{"config/examples/veth-tap-lab.yaml", 2, 1, 2},
		{"config/examples/vfio-nic.yaml", 2, 2, 4},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct weir_config *c = NULL;
		char path[4096];
		WEIR_DIAG_ON_STACK(diag, 1024);

		snprintf(path, sizeof(path), "%s/%s", source_root, rows[i].file);
		if (weir_config_load(path, NULL, &diag, &c))
			fail_msg("%s", diag.buf);
		assert_int_equal(c->ports.len, rows[i].ports);
		assert_int_equal(c->programs.len, rows[i].programs);
		assert_int_equal(c->workers.len, rows[i].workers);
		weir_config_free(&c);
	}
}

/* What the default file shows behind '#' must be what its keys do. */
static void load__default_file_with_its_comments(void **state)
{
	struct weir_config *c = NULL;
	char path[4096], line[512], text[16384] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/config/weir.yaml", source_root);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		bool is_key = line[0] == '#' && (line[1] >= 'a' || line[1] == ' ') &&
			      strchr(line, ':') && strncmp(line, "# ", 2) != 0;

		if (line[0] == '#' && line[1] == ' ' && line[2] == ' ')
			is_key = true;
		if (!strncmp(line, "ports: []", 9) || !strncmp(line, "programs: []", 12))
			strcpy(strchr(line, '['), "\n");
		if (!strncmp(line, "#workers: 1", 11))
			continue; /* the other form follows */
		strcat(text, is_key ? line + 1 : line);
	}
	fclose(f);
	c = take(text);
	assert_int_equal(c->workers.len, 2);
	assert_int_equal(c->ports.len, 2);
	assert_int_equal(c->programs.v[0].maps.len, 1);
	assert_string_equal(c->control.group, "weir");
	weir_config_free(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(load__drop_ins_in_order, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(load__twins_in_two_files, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(load__errors_of_all_files, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(load__files_that_cannot_be_read, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(object_find__order, lab_setup, lab_teardown),
		cmocka_unit_test(find__by_name),
		cmocka_unit_test(load__shipped_files),
		cmocka_unit_test(load__default_file_with_its_comments),
	};

	source_root = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
