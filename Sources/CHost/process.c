#include "chost.h"
#include <unistd.h>

int chost_fork(void) { return fork(); }
