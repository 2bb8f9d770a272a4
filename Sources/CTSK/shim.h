#ifndef CTSK_SHIM_H
#define CTSK_SHIM_H
#include <stdint.h>
#include <stdio.h>
#include <tsk/libtsk.h>

/* TSK keeps no pointer for its caller in TSK_IMG_INFO, so one stands behind it. The record holds TSK's cache of 2 MiB: never on a stack. */
typedef struct {
    TSK_IMG_INFO img;
    void *user;
} ctsk_image;

static inline void *ctsk_user(TSK_IMG_INFO *image) { return ((ctsk_image *)image)->user; }
static inline void ctsk_set_user(ctsk_image *image, void *user) { image->user = user; }
#endif
