// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"bytes"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The container runtime of one worker holds a sandbox with the name of a pod's, which
// the kubelet does not take for its own: it lacks the labels by which the kubelet
// finds a pod's sandboxes, as after a restore or with a second tool at work. The
// kubelet asks for the same name again and again, and containerd reserves a name
// (name, namespace, UID and attempt of the pod) once.
//
// The leftover is made before the pod may be scheduled: its UID is known then and the
// kubelet has not begun. The kubelet stops the sandbox of a pod it does not know and
// removes it not before the pod is gone.
var _ = scenario.Register(scenario.Scenario{
	Name:     "sandbox_stale",
	Title:    "a leftover sandbox on one worker has the name that a new one needs",
	Expects:  diagnosis.SandboxStale,
	Topology: "default",
	Breaks:   []string{"sandbox.none-stuck"},
	MayBreak: []string{"audit.pods-stuck", "audit.service-ready", "audit.service-selector"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		err := openShop(ctx, t, func(pod *corev1.Pod) {
			pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/wait"}}
		})
		if err != nil {
			return err
		}
		pods := t.Cluster.Client.CoreV1().Pods(shop)
		pod, err := pods.Get(ctx, web, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("read pod %s/%s: %w", shop, web, err)
		}
		if err := leaveSandbox(ctx, t, pod); err != nil {
			return err
		}
		_, err = pods.Patch(ctx, web, types.MergePatchType, []byte(`{"spec":{"schedulingGates":null}}`), metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("let pod %s/%s be scheduled: %w", shop, web, err)
		}
		return nil
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := onNode(ctx, t, "systemctl", "start", "containerd"); err != nil {
			return err
		}
		if err := shell(ctx, t, "crictl pods -q --namespace "+shop+" --name '^"+web+"$' | xargs -r crictl rmp -f"); err != nil {
			return err
		}
		return closeShop(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return append(lookAtShop(t), t.Cluster.Access.Describe(t.Node, []string{"crictl", "pods", "--namespace", shop, "-v"}))
	},
})

// leaveSandbox makes the sandbox that stays, with the metadata of the pod's first
// and no labels. Its cgroup is one that every systemd has.
func leaveSandbox(ctx context.Context, t scenario.Target, pod *corev1.Pod) error {
	config := fmt.Sprintf(`{"metadata":{"name":%q,"namespace":%q,"uid":%q,"attempt":0},"hostname":%q,"log_directory":"/var/log/pods","linux":{"cgroup_parent":"system.slice"}}`, web, shop, pod.UID, web)
	script := `f=$(mktemp) && cat >$f && crictl runp $f; code=$?; rm -f $f; exit $code`
	out, err := t.Cluster.Access.Run(ctx, t.Node, cluster.Command{Argv: []string{"sh", "-c", script}, Stdin: []byte(config)})
	if err == nil && out.Code != 0 && !bytes.Contains(out.Stderr, []byte("is reserved for")) {
		err = fmt.Errorf("exit %d: %s", out.Code, bytes.TrimSpace(out.Stderr))
	}
	if err != nil {
		return fmt.Errorf("make a sandbox on %s: %w", t.Node, err)
	}
	return nil
}
