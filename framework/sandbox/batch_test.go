// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
)

// apiServer is a fake API server and an Env that talks to it. undo runs the
// cleanups the check left.
func apiServer(t *testing.T) (client *fake.Clientset, env *check.Env, undo func()) {
	t.Helper()
	client = fake.NewClientset()
	var cleanups []func(context.Context) error
	env = &check.Env{
		Cluster: &cluster.Cluster{Client: client}, Namespace: "ns", RunID: "run", ProbeImage: "probe:1",
		Cleanup: func(_ string, remove func(context.Context) error) { cleanups = append(cleanups, remove) },
	}
	return client, env, func() {
		for _, c := range cleanups {
			if err := c(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// watched waits until the fake API server has both watches: unlike a real one,
// it forgets what happens between a list and the watch after it.
func watched(t *testing.T, client *fake.Clientset) {
	t.Helper()
	for t.Context().Err() == nil {
		watches := 0
		for _, a := range client.Actions() {
			if a.GetVerb() == "watch" {
				watches++
			}
		}
		if watches >= 2 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// change writes a pod's status or deletes it, as scheduler and kubelet do.
func change(t *testing.T, client *fake.Clientset, name string, apply func(*corev1.Pod)) {
	t.Helper()
	pod, err := client.CoreV1().Pods("ns").Get(t.Context(), name, metav1.GetOptions{})
	if err == nil {
		apply(pod)
		_, err = client.CoreV1().Pods("ns").Update(t.Context(), pod, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestBatchFollowsPodsToTheirEnd(t *testing.T) {
	client, env, undo := apiServer(t)
	b, err := Open(t.Context(), env, "starts")
	if err != nil {
		t.Fatal(err)
	}
	watched(t, client)
	b.Create(t.Context(), "one", "two", "two")
	var group sync.WaitGroup
	for _, name := range []string{"-0", "-1", "-2"} {
		group.Go(func() {
			change(t, client, b.Name+name, func(p *corev1.Pod) { p.Spec.NodeName = "somewhere" })
			time.Sleep(30 * time.Millisecond)
			change(t, client, b.Name+name, func(p *corev1.Pod) {
				p.Status.Conditions = []corev1.PodCondition{sandboxReady(corev1.ConditionTrue)}
			})
		})
	}
	states := b.Await(t.Context(), Sandboxed)
	group.Wait()
	var nodes []string
	for _, s := range states {
		nodes = append(nodes, s.Node)
		if latency, ok := s.Latency(); !ok || latency <= 0 {
			t.Errorf("%s: latency %v, %v; wanted one", s.Name, latency, ok)
		}
	}
	if !slices.Equal(nodes, []string{"one", "two", "two"}) {
		t.Errorf("states of %v", nodes)
	}

	pods, _ := client.CoreV1().Pods("ns").List(t.Context(), metav1.ListOptions{})
	for _, p := range pods.Items {
		if err := client.CoreV1().Pods("ns").Delete(t.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range b.Await(t.Context(), Gone) {
		if s.Gone.IsZero() {
			t.Errorf("%s is not gone", s.Name)
		}
	}
	undo()
}

func TestPodIsPinnedButScheduled(t *testing.T) {
	client, env, _ := apiServer(t)
	b, err := Open(t.Context(), env, "starts")
	if err != nil {
		t.Fatal(err)
	}
	b.Create(t.Context(), "worker2")
	pods, err := client.CoreV1().Pods("ns").List(t.Context(), metav1.ListOptions{LabelSelector: "cniproof.io/run=run,app.kubernetes.io/managed-by=cniproof"})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("%d pods with the run's labels, %v", len(pods.Items), err)
	}
	spec := pods.Items[0].Spec
	if spec.NodeName != "" {
		t.Errorf("nodeName %q goes past the scheduler", spec.NodeName)
	}
	term := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0]
	if term.Key != "metadata.name" || !slices.Equal(term.Values, []string{"worker2"}) {
		t.Errorf("pinned by %v", term)
	}
	taint := corev1.Taint{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoExecute}
	if len(spec.Tolerations) != 1 || spec.Tolerations[0].Operator != corev1.TolerationOpExists || spec.Tolerations[0].Key != "" {
		t.Errorf("tolerations %v, wanted one for every taint such as %v", spec.Tolerations, taint.Key)
	}
}

func TestAwaitEndsWhenTheAnswerIsKnown(t *testing.T) {
	defer func(d time.Duration) { settle = d }(settle)
	settle = 50 * time.Millisecond
	client, env, _ := apiServer(t)
	b, err := Open(t.Context(), env, "starts")
	if err != nil {
		t.Fatal(err)
	}
	watched(t, client)
	b.Create(t.Context(), "bad", "full")
	change(t, client, b.Name+"-0", func(p *corev1.Pod) { p.Spec.NodeName = "bad" })
	change(t, client, b.Name+"-1", func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "Too many pods"}}
	})
	_, err = client.CoreV1().Events("ns").Create(t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "e", UID: "e"}, Reason: failedCreate, Message: "failed to setup network for sandbox", Count: 2,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: b.Name + "-0"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	states := b.Await(t.Context(), Sandboxed)
	var failure *check.Failure
	if err := Started(states[0]); !errors.As(err, &failure) || failure.Node != "bad" {
		t.Errorf("outcome %v, wanted a failure of node bad", err)
	}
	var unknown *check.Inconclusive
	if err := Started(states[1]); !errors.As(err, &unknown) {
		t.Errorf("outcome %v, wanted it inconclusive", err)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	_, env, _ := apiServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	b, err := Open(ctx, env, "starts")
	if err != nil {
		t.Fatal(err)
	}
	b.Create(ctx, "one")
	time.AfterFunc(20*time.Millisecond, cancel)
	if states := b.Await(ctx, Sandboxed); len(states) != 1 || Sandboxed(states[0]) {
		t.Errorf("states %+v", states)
	}
}

func TestRefusals(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	t.Run("of a pod", func(t *testing.T) {
		client, env, _ := apiServer(t)
		client.PrependReactor("create", "pods", func(ktesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(pods, "x", errors.New("exceeded quota"))
		})
		b, err := Open(t.Context(), env, "starts")
		if err != nil {
			t.Fatal(err)
		}
		b.Create(t.Context(), "one")
		if states := b.Await(t.Context(), Sandboxed); !apierrors.IsForbidden(states[0].Refused) {
			t.Errorf("refused with %v", states[0].Refused)
		}
	})
	t.Run("of the watch", func(t *testing.T) {
		client, env, _ := apiServer(t)
		client.PrependReactor("list", "events", func(ktesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New("no RBAC policy matched"))
		})
		if _, err := Open(t.Context(), env, "starts"); !apierrors.IsForbidden(err) {
			t.Errorf("got %v, wanted it to say that watching is forbidden", err)
		}
	})
}
