// SPDX-License-Identifier: Apache-2.0

package suites_test

import (
	"cmp"
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/session"
)

// BenchmarkHealthyRun measures a whole run on a healthy cluster (connect,
// deploy, every check, remove) against the floor of any harness that needs a pod
// on each node: rolling out one DaemonSet of a pause pod and deleting it. Both
// are measured in turn, in the same process; the figures are medians:
//
//	s/run         one whole run
//	s/floor       one DaemonSet rolled out and deleted
//	floors/run    their ratio
//
// make bench runs it on a kind cluster of ours.
func BenchmarkHealthyRun(b *testing.B) {
	if suite.Options().Kubeconfig == "" {
		b.Skip("pass -kubeconfig, or use make bench")
	}
	klog.SetLogger(logr.Discard()) // client-go's own
	var runs, floors []time.Duration
	for b.Loop() {
		floors = append(floors, floor(b))
		runs = append(runs, healthyRun(b))
	}
	run, floor := median(runs), median(floors)
	b.ReportMetric(0, "ns/op") // the floor is no part of what is measured
	b.ReportMetric(run.Seconds(), "s/run")
	b.ReportMetric(floor.Seconds(), "s/floor")
	b.ReportMetric(run.Seconds()/floor.Seconds(), "floors/run")
}

func median[T cmp.Ordered](list []T) T {
	slices.Sort(list)
	return list[len(list)/2]
}

// healthyRun is one run without reports. It fails the benchmark when a required
// check does not pass: a broken cluster is not what is measured.
func healthyRun(b *testing.B) time.Duration {
	options := *suite.Options()
	options.Artifacts = b.TempDir()
	start := time.Now()
	s, err := session.New(session.Input{Options: &options, Ahead: true, Log: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	err = s.Open(b.Context())
	if err == nil {
		err = everyCheck(b.Context(), s)
	}
	if closing := s.Close(); err == nil {
		err = closing
	}
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func everyCheck(ctx context.Context, s *session.Session) error {
	round, err := s.Round("")
	if err != nil {
		return err
	}
	var ids []string
	for _, c := range s.Selected() {
		ids = append(ids, c.ID)
	}
	round.Ahead(ctx, ids)()
	results, err := round.Results()
	if err != nil {
		return err
	}
	return session.Verify(results)
}

// pause is the image every node has, because every sandbox is one.
const pause = "registry.k8s.io/pause:3.10"

// floor rolls out a DaemonSet of a pause pod on every node and deletes it,
// watching, and returns how long that took. Its namespace is not part of it.
func floor(b *testing.B) time.Duration {
	timeouts := config.DefaultTimeouts()
	ctx, cancel := context.WithTimeout(b.Context(), timeouts.FixturesReady+timeouts.Cleanup)
	defer cancel()
	c, err := cluster.Existing(cluster.ExistingOptions{Kubeconfig: config.Path(suite.Options().Kubeconfig), Context: suite.Options().Context, Timeouts: timeouts, Log: io.Discard}).Up(ctx)
	if err != nil {
		b.Fatal(err)
	}
	space, err := c.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "cniproof-bench-", Annotations: session.Ownership(), Labels: map[string]string{workloads.ManagedByLabel: workloads.ManagedBy},
	}}, metav1.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := c.Client.CoreV1().Namespaces().Delete(context.WithoutCancel(ctx), space.Name, metav1.DeleteOptions{}); err != nil {
			b.Error(err)
		}
	}()
	start := time.Now()
	sets := c.Client.AppsV1().DaemonSets(space.Name)
	if _, err := sets.Create(ctx, pauseSet(), metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	rolledOut(ctx, b, c.Client, space.Name)
	foreground := metav1.DeletePropagationForeground
	if err := sets.Delete(ctx, "floor", metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		b.Fatal(err)
	}
	for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if _, err := sets.Get(ctx, "floor", metav1.GetOptions{}); apierrors.IsNotFound(err) {
			return time.Since(start)
		}
	}
	b.Fatal("the DaemonSet of the floor was not deleted in time")
	return 0
}

func rolledOut(ctx context.Context, b *testing.B, client kubernetes.Interface, namespace string) {
	watch, err := client.AppsV1().DaemonSets(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", "floor").String()})
	if err != nil {
		b.Fatal(err)
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		if set, ok := event.Object.(*appsv1.DaemonSet); ok && set.Status.DesiredNumberScheduled > 0 && set.Status.NumberReady == set.Status.DesiredNumberScheduled {
			return
		}
	}
	b.Fatal("the DaemonSet of the floor was not rolled out in time")
}

func pauseSet() *appsv1.DaemonSet {
	labels, grace := map[string]string{"app": "floor"}, int64(1)
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "floor"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					Containers:                    []corev1.Container{{Name: "pause", Image: pause, ImagePullPolicy: corev1.PullIfNotPresent}},
					Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
					TerminationGracePeriodSeconds: &grace,
				},
			},
		},
	}
}
