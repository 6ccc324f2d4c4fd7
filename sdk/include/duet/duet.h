#pragma once

/// Everything that an embedder needs, but for the LibTorch adapter (duet/torch/trainer.h).
#include "duet/algorithm.h"
#include "duet/buffer.h"
#include "duet/error.h"
#include "duet/log.h"
#include "duet/options.h"
#include "duet/status.h"
#include "duet/topology.h"
#include "duet/transports.h"
#include "duet/version.h"
#include "duet/worker.h"
