// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"strings"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// flannel's agent on one worker does not start: its configuration names a backend
// that does not exist, and its pod was just replaced. What it programmed stays, so
// that pods keep their network until something changes.
var _ = scenario.Register(scenario.Scenario{
	Name:     "flannel_crashloop",
	Title:    "flannel crashes on one worker",
	Expects:  diagnosis.CNIDaemonCrashLoop,
	Topology: "two-node",
	Breaks:   []string{"cni.agent-ready"},
	MayBreak: []string{"cni.agent-stable"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		if err := editConfigMap(ctx, t, "kube-flannel", "kube-flannel-cfg", "net-conf.json", func(text string) string { return strings.Replace(text, "vxlan", "vxlann", 1) }); err != nil {
			return err
		}
		return deletePods(ctx, t, "kube-flannel", "app=flannel", t.Node)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		if err := restoreConfigMap(ctx, t, "kube-flannel", "kube-flannel-cfg", "net-conf.json"); err != nil {
			return err
		}
		return restartAgent(ctx, t)
	},
	Look: func(t scenario.Target) []string {
		return []string{
			"kubectl -n kube-flannel get pods -o wide",
			"kubectl -n kube-flannel logs -l app=flannel --tail=20",
		}
	},
})
