/* SPDX-License-Identifier: BSD-3-Clause */
/* OBJ_GET_INFO_BY_FD's answer, which is a struct full of pointers of its own. */
#ifndef WEIR_API_SRC_INFO_H
#define WEIR_API_SRC_INFO_H

#include "conn.h"

/* Writes the info and what it points to into the caller's memory. 0, -EFAULT, -EPROTO. */
int weir_info_write(const union weir_attr *user, const struct weir_object_desc *desc,
		    const struct weir_call *call);

#endif
