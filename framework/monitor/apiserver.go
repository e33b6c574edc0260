// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
)

const (
	// askEvery is how often the API server is asked from here, and answerWithin how
	// long it has.
	askEvery     = 500 * time.Millisecond
	answerWithin = 3 * time.Second
)

// WatchAPIServer asks the API server from here until ctx ends and notes in the
// diary when it was away: the control sampler of the harness's own way to the
// cluster. One answer that is missing is not yet that.
func WatchAPIServer(ctx context.Context, client kubernetes.Interface, d *Diary) {
	var (
		asking sync.WaitGroup
		mu     sync.Mutex
		failed []time.Time // since the last answer
	)
	over := func(at time.Time) {
		if len(failed) > 1 {
			d.Note(Happening{At: failed[0], Until: at.UTC().Round(0), About: AboutAPIServer, What: "the API server was away, as seen from here"})
		}
		failed = nil
	}
	beat := time.NewTicker(askEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			asking.Wait()
			over(time.Now())
			return
		case at := <-beat.C:
			asking.Go(func() {
				within, cancel := context.WithTimeout(ctx, answerWithin)
				defer cancel()
				err := client.Discovery().RESTClient().Get().AbsPath("/version").Do(within).Error()
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && (len(failed) == 0 || at.After(failed[len(failed)-1])):
					over(at)
				case err != nil && ctx.Err() == nil:
					failed = append(failed, at)
				}
			})
		}
	}
}
