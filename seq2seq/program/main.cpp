// weft: trains sequence-to-sequence models, translates with them, scores translations, and shows
// what attention looks at.
#include <weft/seq2seq/program/program.h>

int main(int argc, char** argv) { return weft::Program().run(argc, argv); }
