#pragma once

#include <QCoreApplication>
#include <QObject>
#include <QPointer>
#include <QThreadPool>
#include <memory>
#include <utility>

namespace duet::dashboard {

/// Runs `work` on a thread of the pool, and then `then` with its result on the GUI thread, unless `context`
/// is gone by then. `work` must not throw, nor touch what belongs to the GUI. The application's end waits for
/// it.
template <typename Work, typename Then>
void in_background(QObject* context, Work work, Then then) {
  QThreadPool::globalInstance()->start(
      [alive = QPointer<QObject>(context), work = std::move(work), then = std::move(then)] {
        // Shared, because what is posted is copied, and a result need not be.
        auto result = std::make_shared<decltype(work())>(work());
        QMetaObject::invokeMethod(
            QCoreApplication::instance(),
            [alive, result, then] {
              if (!alive.isNull()) then(std::move(*result));
            },
            Qt::QueuedConnection);
      });
}

}  // namespace duet::dashboard
