// SPDX-License-Identifier: Apache-2.0

// Package config holds what a person chooses: one Options struct filled from
// flags and environment, one Timeouts struct, and Problem, the error for what a
// person can cure. It reads no cluster and starts nothing.
package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// Options is one run as its user asked for it. It does not change once parsed.
type Options struct {
	// Kubeconfig is the path of the kubeconfig file; from -kubeconfig, else
	// the environment's KUBECONFIG. There is no default path on purpose: a
	// plain `go test ./...` must not reach somebody's production cluster.
	Kubeconfig string
	// Context is the kubeconfig context; empty is the current one.
	Context string
	// Artifacts is the directory reports and evidence go to; empty means
	// _artifacts/<run id> in the module's root.
	Artifacts string
	// ProbeImage is an image of fixtures/probe the cluster can pull; empty
	// means the one built here, which must be on the nodes already.
	ProbeImage string
	// Areas limits the run to these areas; empty means all.
	Areas []string
	// Nodes limits the run to these nodes; empty means all.
	Nodes []string
	// EgressTargets are places outside the cluster that pods should reach, as
	// framework/target reads them; empty means fixtures/outside where it runs.
	EgressTargets []string
	// EgressProxy is the URL of the forward proxy that programs in pods are to
	// use for http and https; empty is none. EgressNoProxy is what they reach
	// without it, as in NO_PROXY.
	EgressProxy   string
	EgressNoProxy []string
	// LoadBalancer allows the run to create a Service of type LoadBalancer,
	// which makes a cloud provide a load balancer and may cost money.
	LoadBalancer bool
	// NodeAgent says whether the run deploys a privileged pod on every node to
	// run read-only commands there: AgentAuto, AgentOn or AgentOff.
	NodeAgent string
	// Pseudonymize makes a second copy of all that the run left behind, with
	// addresses and names replaced.
	Pseudonymize bool
	// Strict makes advisory checks count in the verdict.
	Strict bool
	// Gate is what is done to the cluster between two runs, and how it is judged.
	Gate Gate

	Timeouts Timeouts
}

// Gate is a run before, something that is done to the cluster, and a run after.
type Gate struct {
	// Command is done to the cluster, by sh -c, for Limit at most; empty is
	// nothing.
	Command string
	Limit   time.Duration
	// Phase is PhaseBefore, PhaseAfter or empty, which is both with Command
	// between; State is the file that the first leaves for the second.
	Phase, State string
	// MaxDisruption is the budget, as framework/gate reads it.
	MaxDisruption string
	// ReportOnly lets every disruption and regression pass, StrictBaseline begins
	// nothing where a check fails before.
	ReportOnly, StrictBaseline bool
}

// Values of Gate.Phase.
const (
	PhaseBefore = "before"
	PhaseAfter  = "after"
)

// Wanted tells whether the run is a gate.
func (g Gate) Wanted() bool { return g.Command != "" || g.Phase != "" }

// Values of Options.NodeAgent.
const (
	// AgentAuto deploys agents where there is no other way onto the nodes and
	// admission allows it.
	AgentAuto = "auto"
	// AgentOn uses agents whatever other way there is, and runs not without.
	AgentOn  = "on"
	AgentOff = "off"
)

// Register defines the flags of Options on fs and returns the Options that
// holds their values once fs is parsed.
func Register(fs *flag.FlagSet) *Options {
	o := &Options{Timeouts: DefaultTimeouts()}
	fs.StringVar(&o.Kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig of the cluster to check (default: the environment's KUBECONFIG)")
	fs.StringVar(&o.Context, "context", "", "kubeconfig context (default: the current one)")
	fs.StringVar(&o.Artifacts, "artifacts", "", "directory for reports and evidence (default: _artifacts/<run id>)")
	fs.StringVar(&o.ProbeImage, "probe-image", "", "image of the probe that the cluster can pull (make probe-image PUSH=registry/name:tag publishes one)")
	fs.Var((*list)(&o.Areas), "areas", "comma-separated areas to check (default: all)")
	fs.Var((*list)(&o.Nodes), "nodes", "comma-separated nodes to check (default: all)")
	fs.Var((*list)(&o.EgressTargets), "egress-target", "host:port outside the cluster that pods should reach, or scheme://host:port with scheme tcp, udp (an echo), http, https or dns; repeatable")
	fs.StringVar(&o.EgressProxy, "egress-proxy", "", "URL of the forward proxy that pods use for http and https, as in HTTP_PROXY")
	fs.Var((*list)(&o.EgressNoProxy), "egress-no-proxy", "comma-separated hosts, domains and ranges that pods reach without -egress-proxy, as in NO_PROXY")
	fs.BoolVar(&o.LoadBalancer, "load-balancer", false, "create a Service of type LoadBalancer to check it; a cloud may charge for that")
	fs.StringVar(&o.NodeAgent, "node-agent", AgentAuto, "deploy a privileged pod on every node to read its state and logs: auto (where there is no other way onto the nodes and admission allows it), on or off")
	fs.BoolVar(&o.Pseudonymize, "pseudonymize", false, "copy reports and evidence to <artifacts>/pseudonymized with addresses and names replaced, each by the same everywhere")
	fs.BoolVar(&o.Strict, "strict", false, "advisory checks count in the verdict")
	fs.StringVar(&o.Gate.Command, "upgrade-command", "", "gate this shell command: run the checks, watch traffic while it runs, run the checks again, compare")
	fs.DurationVar(&o.Gate.Limit, "upgrade-timeout", o.Timeouts.Upgrade, "how long -upgrade-command may take")
	fs.StringVar(&o.Gate.Phase, "gate-phase", "", "before: run the checks, start to watch traffic and return; after: stop watching, run the checks again, compare")
	fs.StringVar(&o.Gate.State, "gate-state", "", "file that -gate-phase=before writes and after reads; the cluster keeps a copy")
	fs.StringVar(&o.Gate.MaxDisruption, "max-disruption", "", "disruption let pass, e.g. 10s,service=0s,dns=5s,broken=0: in total, of the worst path of a kind, connections lost (default: see the README)")
	fs.BoolVar(&o.Gate.ReportOnly, "report-only", false, "gate: report disruption and regressions, and let them pass")
	fs.BoolVar(&o.Gate.StrictBaseline, "strict-baseline", false, "gate: begin nothing where a required check fails before")
	return o
}

// Settle is called once fs is parsed. It refuses arguments that are no flags, so
// that a typing error never silently drops the flags after it, and undoes what
// the go command does to one of ours: since Go 1.26 `go test` has a boolean flag
// -artifacts, so of `go test ./suites -artifacts DIR -strict` it hands on
// "-test.artifacts=true DIR -strict", where parsing stops at DIR.
func (o *Options) Settle(fs *flag.FlagSet) error {
	if f := fs.Lookup("test.artifacts"); f != nil && f.Value.String() == "true" && fs.NArg() > 0 {
		o.Artifacts = fs.Arg(0)
		if err := fs.Parse(fs.Args()[1:]); err != nil {
			return &Problem{What: "the flags after -artifacts cannot be parsed", Do: "run with -args -h to see them", Err: err}
		}
	}
	if fs.NArg() > 0 {
		return &Problem{What: fmt.Sprintf("%q is not a flag", fs.Arg(0)), Do: "run with -args -h to see the flags"}
	}
	return nil
}

// list is a repeatable, comma-separated flag.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}
