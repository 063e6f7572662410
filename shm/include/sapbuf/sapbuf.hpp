// All of sapbuf. See README.md for a first program and shm/DESIGN.md for how it works.
#pragma once

#include <sapbuf/cell.hpp>
#include <sapbuf/error.hpp>
#include <sapbuf/inspect.hpp>
#include <sapbuf/limits.hpp>
#include <sapbuf/lock_holders.hpp>
#include <sapbuf/map.hpp>
#include <sapbuf/no_throw.hpp>
#include <sapbuf/options.hpp>
#include <sapbuf/owned.hpp>
#include <sapbuf/pool.hpp>
#include <sapbuf/queue.hpp>
#include <sapbuf/reader.hpp>
#include <sapbuf/recovery.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/status.hpp>
#include <sapbuf/stream.hpp>
#include <sapbuf/text.hpp>
#include <sapbuf/truncation.hpp>
#include <sapbuf/version.hpp>
#include <sapbuf/writer.hpp>
