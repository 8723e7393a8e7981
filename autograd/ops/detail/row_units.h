// Shared by the norms' compositions: rows whose squares would leave the dtype. Not public.
#pragma once

#include <weft/core/tensor.h>

namespace weft {

/// Powers of two [..., 1], without gradient, by which the rows of x [..., D] are to be multiplied
/// before they are squared, so that squares and the derivatives of their roots stay in range:
/// elsewhere than 1 where `squares` [..., 1], the mean square of a row with eps, is far from it.
/// Undefined if no row needs one.
Tensor units_of_rows(const Tensor& x, const Tensor& squares);

/// eps in the squared units of each row; above 0 if eps is.
Tensor in_squared_units(double eps, const Tensor& units);

}  // namespace weft
