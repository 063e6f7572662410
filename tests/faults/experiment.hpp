// An operation, tried with each of its calls failing in turn. Whatever the call was part of: nothing crashes, nothing
// leaks, what is said is true, and the next try succeeds.
#pragma once

#include "faults/operations.hpp"

namespace sapbuf::test {

void let_each_call_fail_once(const Operation& operation);
void let_each_kind_of_call_fail_for_good(const Operation& operation);

}  // namespace sapbuf::test
