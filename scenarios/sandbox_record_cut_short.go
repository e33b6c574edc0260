// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// What flannel's plugin wrote down of a sandbox is an empty file, as after a power cut
// or on a disk that was full. The plugin reads it on DEL to know what to undo
// (plugins/meta/flannel, consumeScratchNetConf), cannot, and fails: the kubelet can
// neither stop the sandbox nor let go of the pod, which stays Terminating with
// KillPodSandboxError. A file that is missing would be no error, and neither is a
// missing subnet.env: DEL does not read that.
var _ = scenario.Register(scenario.Scenario{
	Name:     "sandbox_record_cut_short",
	Title:    "a pod of one worker cannot be killed: the plugin's record of its sandbox is cut short",
	Expects:  diagnosis.SandboxStale,
	Topology: "two-node",
	Breaks:   []string{"sandbox.none-stuck"},
	MayBreak: []string{"audit.pods-stuck", "audit.service-ready", "audit.service-selector"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := openShop(ctx, t, func(*corev1.Pod) {}); err != nil {
			return err
		}
		if err := podsReady(ctx, t, shop, "app="+web, t.Node); err != nil {
			return err
		}
		err := shell(ctx, t, fmt.Sprintf(`id=$(crictl pods -q --namespace %s --name '^%s$' --state ready | head -1) && cd %s && [ -s "$id" ] && mkdir -p %s && cp -a "$id" %s && : >"$id"`, shop, web, flannelRecords, keptRecords, keptRecords))
		if err != nil {
			return err
		}
		return t.Cluster.Client.CoreV1().Pods(shop).Delete(ctx, web, metav1.DeleteOptions{})
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		err := shell(ctx, t, fmt.Sprintf(`[ ! -d %[1]s ] || { cp -a %[1]s/. %[2]s/ && rm -rf %[1]s; }`, keptRecords, flannelRecords))
		if err != nil {
			return err
		}
		return closeShop(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return append(lookAtShop(t), t.Cluster.Access.Describe(t.Node, []string{"find", flannelRecords, "-size", "0"}))
	},
})

const (
	// flannelRecords is the plugin's default dataDir: the delegate's configuration
	// by sandbox ID.
	flannelRecords = "/var/lib/cni/flannel"
	keptRecords    = kept + "/flannel-records"
)
