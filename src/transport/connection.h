// Connection: one client's socket, whatever is spoken on it. Owned by its Edge; ends by Edge::remove.
#pragma once

#include <boost/intrusive/list.hpp>

#include "base/loop.h"

namespace carillon {

class Connection : public Disposable,
                   public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>> {
 public:
  // Every Edge::sweep_period: what should have happened by now?
  virtual void on_sweep(Millis now) = 0;
  // The server is stopping: say goodbye.
  virtual void on_drain() = 0;
};

}  // namespace carillon
