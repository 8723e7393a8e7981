// Three words attend to five others; how would the loss change with one attention weight?
#include <weft/weft.h>

#include <iostream>

using namespace weft;

int main() {
  Generator gen(1);
  MultiheadAttention attention({.embed_dim = 8, .num_heads = 2, .batch_first = true}, gen);
  const Tensor query = randn({1, 3, 8}, gen);   // [B, Tq, D]
  const Tensor memory = randn({1, 5, 8}, gen);  // [B, Tk, D]

  auto [output, weights] =
      attention(query, memory, memory, AttentionCall{.weights = AttentionWeights::per_head});
  weights.retain_grad();  // [B, H, Tq, Tk], on the path to the output
  sum(output * output).backward();

  std::cout << "attention of head 0: " << select(select(weights, 0, 0), 0, 0) << '\n'
            << "d loss / d weight of word 1 on word 4: " << weights.grad().at({0, 0, 1, 4}) << '\n';
}
