/* SPDX-License-Identifier: BSD-3-Clause */
/* Linked until the control plane is: no socket, and the file's programs are refused. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/control.h"
#include "plane.h"
#include "weir/config/config.h"

struct weir_control {
	int fd;
};

int weir_control_new(const struct weir_control_opts *opts, struct weir_diag *diag,
		     struct weir_control **out)
{
	struct weir_control *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->fd = eventfd(0, EFD_CLOEXEC);
	*out = c;
	return 0;
}

int weir_control_fd(const struct weir_control *control)
{
	return control->fd;
}

int weir_control_step(struct weir_control *control, int timeout_ms)
{
	return 0;
}

int weir_control_check_config_programs(const struct weir_config *config, struct weir_diag *diag)
{
	return config->programs.len ? weir_fail(diag, -ENOTSUP, "programs in the file") : 0;
}

int weir_control_load_config_programs(struct weir_control *control,
				      const struct weir_config *config, struct weir_diag *diag)
{
	return weir_control_check_config_programs(config, diag);
}

void weir_control_close_socket(struct weir_control *control)
{
}

void weir_control_stop(struct weir_control **control)
{
	close((*control)->fd);
	free(*control);
	*control = NULL;
}

void weir_control_on_budget_detach(void *arg, uint32_t port, enum weir_hook hook, uint32_t priority,
				   struct weir_plane_prog *prog, struct weir_plane_prog *restored)
{
}

void weir_control_on_trace(void *arg, uint32_t slot, const char *line, size_t len_bytes)
{
}
