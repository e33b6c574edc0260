// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"regexp"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What runtimes, the kubelet and programs themselves say when a container's
// own command or configuration is wrong.
var (
	appFails = fact.Say("a container fails by its own command or configuration",
		`exec format error`, `exec user process caused`, `exec: "?[^"\s]+"?: (?:executable file not found|stat .{0,60}no such file|permission denied|is a directory)`, `unable to start container process`,
		`CreateContainerConfigError|CreateContainerError|RunContainerError`, `couldn't find key \S+ in (?:ConfigMap|Secret)`, `(?:configmap|secret)s? "[^"]+" not found`, `references non-existent (?:config|secret) key`,
		`OOMKilled`, `Exit Code: +(?:[1-9]|1\d|12[67]|13[479]|143|255)`, `exited with (?:exit )?code [1-9]`, `container has runAsNonRoot`, `non-numeric user`,
		`Error: failed to (?:start|create) container`, `failed to create containerd task.{0,300}exec: "`, `(?:liveness|startup) probe failed: (?:HTTP probe failed|.{0,60}statuscode)`, `probe failed with statuscode: [45]\d\d`,
		`segmentation fault|core dumped`, `Traceback \(most recent call last\)`, `Exception in thread "main"|java\.lang\.\w+(?:Error|Exception)`, `npm ERR!|Cannot find module '`, `Unhandled (?:exception|promise rejection)`,
		`invalid (?:command|option|argument|flag)|unknown (?:command|flag|option)`, `permission denied.{0,40}(?:/data|/var/lib/(?:mysql|postgres)|/app|/config)`,
		`panic: .{0,200}`, `FATAL: .{0,120}|fatal error: `, `listen tcp \S*:(?:80|443|8080|3000|9090): bind: address already in use`, `Access denied for user|password authentication failed|ECONNREFUSED 127\.0\.0\.1`,
	)
	probeFails = fact.Say("a container's probe fails",
		`(?:readiness|liveness|startup) probe failed: .{0,300}(?:statuscode|connection refused|executable file|exit status|exited with)`,
	)
	// ownPods matches pods that other rules speak about.
	ownPods = regexp.MustCompile(`(?i)coredns|kube-dns|kube-proxy`)
)

var _ = Register(Rule{
	Code:  NotNetworkApplication,
	Title: "the container itself fails: its command, configuration or program",
	Hint:  "The sandbox and its network are up when a container runs and exits.",
	Fix: []string{
		"kubectl logs <pod> --previous; kubectl describe pod <pod>   # exit code, last state, missing ConfigMap or Secret keys, failing probe",
	},
	Refutes: "the container's log showing that it waits for the network",
	Looks:   []fact.Sort{fact.PodStatus},
	Match: func(f *fact.Facts) []Finding {
		said := where(current(f, f.Said(appFails)), func(s fact.Statement) bool {
			return !pluginText.MatchString(s.Text) && !ofNetwork(s) && !registryText.MatchString(s.Text)
		})
		if f.Whole {
			said = where(said, func(s fact.Statement) bool { return s.Sort == fact.PodStatus && fromCheck(f, s.Pod) })
		}
		found := some(cite(scopedTree(f, 0.8, 0.6), said))
		crash := where(current(f, f.Said(backOff)), func(s fact.Statement) bool {
			return !ofNetwork(s) && (!f.Whole || fromCheck(f, s.Pod))
		})
		found = append(found, some(cite(scopedTree(f, 0.6, 0.45), crash))...)
		if !f.Whole {
			found = append(found, some(cite(0.45, where(f.Said(probeFails), func(s fact.Statement) bool { return !ofNetwork(s) })))...)
		}
		return found
	},
})

// ofNetwork tells whether a statement is about a pod of the network itself.
func ofNetwork(s fact.Statement) bool {
	return cniContext.MatchString(s.Text) || daemonPod.MatchString(s.Pod) || daemonPod.MatchString(s.Quote.Text) || ownPods.MatchString(s.Pod) || ownPods.MatchString(s.Quote.Text)
}

// fromCheck tells whether the failed check names the pod.
func fromCheck(f *fact.Facts, pod string) bool {
	return f.Check != nil && f.Check.Names(pod)
}
