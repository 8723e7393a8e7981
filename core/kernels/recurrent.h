// One time step of a GRU and of an LSTM but for its product, and the gradients of it, row by row.
// Gates stand side by side in a row: r, z, n and i, f, g, o. A row that is not `within` keeps its
// state, and nothing of its gates is used; `within` may be null. T: float or double; one thread.
//
//   GRU:   r, z = sigmoid(x + h)   n = tanh(x_n + r h_n)   state = n + z (last - n)
//   LSTM:  i, f, o = sigmoid(x + h)   g = tanh(x_g + h_g)
//          cell = f last_cell + i g   hidden = o tanh(cell)
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstdint>

namespace weft::kernels {

/// x and h [rows, 3 n], last and state [rows, n]; `kept` [rows, 4 n] is for the gradients.
WEFT_KERNEL(void, gru_rows, const T* x, const T* h, const T* last, const bool* within, T* state,
            T* kept, int64_t rows, int64_t n)
/// From dstate: dx and dh [rows, 3 n], and what goes to `last` past the product, in place of
/// dstate.
WEFT_KERNEL(void, gru_grad_rows, const T* kept, const T* last, const bool* within, T* dstate, T* dx,
            T* dh, int64_t rows, int64_t n)

/// gates [rows, 4 n] is x + h before the call, and for the gradients after it; hidden, cell and
/// what they were last, [rows, n].
WEFT_KERNEL(void, lstm_rows, const T* x, T* gates, const T* last_hidden, const T* last_cell,
            const bool* within, T* hidden, T* cell, int64_t rows, int64_t n)
/// dgates [rows, 4 n]; what goes to the last hidden (past the product) and cell, in place of
/// dhidden and dcell.
WEFT_KERNEL(void, lstm_grad_rows, const T* gates, const T* cell, const T* last_cell,
            const bool* within, T* dhidden, T* dcell, T* dgates, int64_t rows, int64_t n)

}  // namespace weft::kernels
