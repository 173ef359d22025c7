#include "app/program.h"

int main(int argc, char** argv) {
  return carillon::run_program(argc, argv);
}
