// A run that leaves the numbers or explodes: how it is seen, where it began, and what may help.
#pragma once

#include <weft/seq2seq/run/config.h>

#include <functional>
#include <string>

namespace weft {

/// What is wrong with a loss (mean per target token, nats) of a model of so many ids: it is not
/// finite, or a hundred times ln(ids), what guessing costs. "the loss is nan"; empty if nothing is.
std::string fault_of_loss(double loss, int64_t vocabulary);

/// The same of an update: of its loss, else of its gradient's norm, which must be finite.
std::string fault_of_update(double loss, double gradient_norm, int64_t vocabulary);

/// Where such an update went wrong. `pass` computes it once more, loss and gradients, and is
/// watched: the first result that is not finite, else the largest, with its op and module. One
/// line: "linear in decoder.layers.0.linear1: the result must be finite; got inf at [0, 2] of ...".
std::string cause_of_fault(const std::function<void()>& pass);

/// What to try, of the settings that leave room, where the run can go on (with another --lr alone)
/// or not: "go on with --resume and a lower --lr than 0.5, or begin anew with --clip 1".
std::string advice_on_divergence(const TrainConfig& config, bool can_go_on);

}  // namespace weft
