// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// follow starts one watch for all pods of the batch and one for the events of
// their namespace, and returns once both stand.
func (b *Batch) follow(ctx context.Context) error {
	core := b.client.CoreV1()
	pods := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = b.selector
			return core.Pods(b.namespace).List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = b.selector
			return core.Pods(b.namespace).Watch(ctx, o)
		},
	}
	events := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = "involvedObject.kind=Pod"
			return core.Events(b.namespace).List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = "involvedObject.kind=Pod"
			return core.Events(b.namespace).Watch(ctx, o)
		},
	}
	podsStand, err := b.run(ctx, "pods", stream{pods, &corev1.Pod{}, b.takePod})
	if err != nil {
		return err
	}
	eventsStand, err := b.run(ctx, "events", stream{events, &corev1.Event{}, b.takeEvent})
	if err != nil {
		return err
	}
	return errors.Join(podsStand(), eventsStand())
}

// stream is one kind of object to follow.
type stream struct {
	source *cache.ListWatch
	kind   runtime.Object
	take   func(object any, gone bool)
}

// run follows the stream until ctx ends. The function it returns waits until
// the watch stands, and says why it cannot.
func (b *Batch) run(ctx context.Context, what string, s stream) (func() error, error) {
	informer := cache.NewSharedInformer(cache.ToListWatcherWithWatchListSemantics(s.source, b.client), s.kind, 0)
	refused := make(chan error, 1)
	err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		b.gap(time.Now())
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			select {
			case refused <- err:
			default:
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", what, err)
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { s.take(object, false) },
		UpdateFunc: func(_, object any) { s.take(object, false) },
		DeleteFunc: func(object any) {
			if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = last.Obj
			}
			s.take(object, true)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", what, err)
	}
	go informer.RunWithContext(ctx)
	return func() error {
		select {
		case <-registration.HasSyncedChecker().Done():
			return nil
		case err := <-refused:
			return fmt.Errorf("watch %s in %s: %w", what, b.namespace, err)
		case <-ctx.Done():
			return fmt.Errorf("watch %s in %s: %w", what, b.namespace, context.Cause(ctx))
		}
	}, nil
}

// gap notes that a watch was interrupted: times of what is seen next are not
// those at which it happened.
func (b *Batch) gap(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = now
}

func (b *Batch) takePod(object any, gone bool) {
	now := time.Now()
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	b.update(pod.Name, func(s *State) {
		s.take(pod, now, b.broken)
		if gone {
			s.Gone = now
			s.late = s.late || b.broken.After(s.Ending)
		}
	})
}

func (b *Batch) takeEvent(object any, gone bool) {
	event, ok := object.(*corev1.Event)
	if !ok || gone {
		return
	}
	trouble, ok := FromEvent(event)
	if !ok {
		return
	}
	b.update(event.InvolvedObject.Name, func(s *State) { s.complain(trouble, time.Now()) })
	// By then it may be the answer, whether or not another event comes.
	time.AfterFunc(settle, b.wake)
}
