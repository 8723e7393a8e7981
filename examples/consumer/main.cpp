// The gradient of a linear layer's weight.
#include <weft/weft.h>

#include <iostream>

int main() {
  weft::Linear layer(3, 1, weft::Generator(1));
  weft::sum(layer(weft::tensor({{1.0, 2.0, 3.0}}))).backward();
  std::cout << layer.weight.grad() << '\n';
}
