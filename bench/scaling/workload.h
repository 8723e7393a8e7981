// What a rank computes: a Transformer, or a stand-in that sleeps, so that many ranks can share a
// core and still show what their network does.
#pragma once

#include <weft/weft.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "../train_model.h"

namespace weft {

struct Workload {
  NamedTensors parameters;
  std::function<Tensor()> loss;  ///< of one part
  double tokens = 0;             ///< of the target, in one part
};

inline Workload transformer_workload(const TrainCase& c, uint64_t seed) {
  Generator weights(0), data(seed);
  const auto model = std::make_shared<TrainModel>(c, weights);
  const Tensor x = randint(c.vocabulary, {c.batch, c.source}, data);
  const Tensor y = randint(c.vocabulary, {c.batch, c.target}, data);
  const Tensor next = randint(c.vocabulary, {c.batch, c.target}, data);
  return {model->named_parameters(), [=] { return (*model)(x, y, next); },
          static_cast<double>(c.batch * c.target)};
}

/// `layers` tensors of equal size, `parameters` elements in all; forward sleeps a third of
/// `milliseconds`, backward the rest, before each layer's gradient its share.
inline Workload sleeping_workload(int64_t layers, int64_t parameters, double milliseconds) {
  const auto sleep = [](double ms) {
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(ms));
  };
  Workload work;
  for (int64_t i = 0; i < layers; ++i)
    work.parameters.push_back(
        {"layer." + std::to_string(i), ones({parameters / layers}).set_requires_grad()});
  const double share = milliseconds / 3 / static_cast<double>(layers);
  work.loss = [sleep, share, layers = work.parameters] {
    Tensor loss = scalar(0);
    for (const NamedTensor& layer : layers) {
      sleep(share);
      loss = loss + mean(layer.tensor);
      loss.register_hook([sleep, share](const Tensor&) {
        sleep(2 * share);
        return Tensor();
      });
    }
    return loss;
  };
  return work;
}

}  // namespace weft
