// SPDX-License-Identifier: Apache-2.0

package diagnosis

import (
	"regexp"

	"github.com/cniproof/cniproof/framework/diagnosis/fact"
)

// What the kubelet and runtimes say when an image, the sandbox's own included,
// cannot be had.
var (
	pullFails = fact.Say("an image cannot be pulled",
		`ErrImagePull`, `ImagePullBackOff`, `back-off pulling image`, `failed to pull (?:and unpack )?image`, `failed to get sandbox image`,
		`failed to resolve reference`, `pull access denied`, `manifest (?:for \S+ )?(?:unknown|not found)`, `toomanyrequests|pull rate limit`,
		`InvalidImageName|ErrImageNeverPull|RegistryUnavailable`, `no matching manifest for`, `repository \S+ not found: does not exist`, `failed to (?:authorize|fetch (?:anonymous|oauth) token)`,
		`error (?:response from daemon|pulling image|while pulling).{0,80}(?:unauthorized|denied|not found|manifest)`, `unauthorized: authentication required`,
		`no basic auth credentials`, `server gave HTTP response to HTTPS client`, `unexpected status(?: code)?.{0,160}(?:401|403|404|429|50\d)`, `failed to (?:copy|extract|unpack|register) (?:layer|image)`, `image .{0,120}(?:not (?:found|present)|does not exist)`,
	)
	networkTrouble = regexp.MustCompile(`(?i)` + noAnswer + `|proxyconnect|server misbehaving|read udp|name resolution|Try again|lookup (?:[\w.-]+\.)?(?:docker\.io|registry\.k8s\.io|gcr\.io|quay\.io|ghcr\.io|mcr\.microsoft\.com|amazonaws\.com|googleapis\.com)(?: on \S+)?: no such host`)
)

var _ = Register(Rule{
	Code:       NotNetworkImagePull,
	Title:      "an image cannot be pulled: name, tag, credentials or the registry's certificate",
	Hint:       "A sandbox needs the pause image before it needs a network; pulling uses the node's network, not the pod's.",
	Suppresses: []Code{NotNetworkApplication, SandboxStale},
	Fix: []string{
		"crictl pull <image>   # on <node>: the same error without Kubernetes",
		"kubectl describe pod <pod>   # name and tag right? imagePullSecrets there? registry's CA trusted by the runtime (/etc/containerd/certs.d)?",
	},
	Refutes: "crictl pull of the same image succeeding on the node",
	Looks:   []fact.Sort{fact.PodStatus, fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		said := without(current(f, f.Said(pullFails)), networkTrouble)
		if ofDNS := matching(said, aboutDNS); len(ofDNS) > 0 && unstarted(f, imageMissing) {
			found := cite(0.93, ofDNS)
			found.Title = "the image of CoreDNS cannot be had"
			return some(found)
		}
		return append(some(ofNow(f, said, imageMissing)), some(cite(scopedTree(f, 0.85, 0.6), said))...)
	},
})

// ofNow is what is said of pods that the failed check names and that are so now: of two
// reasons not to start one may be an older pod's, or another's on the node.
func ofNow(f *fact.Facts, said []fact.Saying, so func(fact.Pod) bool) Finding {
	found := cite(0.7, where(said, func(s fact.Statement) bool {
		pod, known := f.PodNamed(s.Pod)
		return known && fromCheck(f, s.Pod) && so(pod)
	}))
	found.direct = true
	return found
}

var (
	unschedulable = fact.Say("the scheduler finds no node for a pod",
		`FailedScheduling`, `\d+/\d+ nodes are available`, `didn't match (?:pod's )?node (?:selector|affinity)`, `had (?:untolerated )?taint`,
		`insufficient (?:cpu|memory|ephemeral-storage|pods|nvidia|[\w.-]+/[\w.-]+)\b`, `didn't have free ports`, `volume node affinity conflict|unbound immediate PersistentVolumeClaims`,
		`no nodes available to schedule pods`, `preemption is not helpful`, `didn't match pod (?:topology|anti-affinity|affinity)`, `exceeded quota|forbidden: exceeded`, `node\(s\) were unschedulable`,
	)
	// notReadyTaint matches nodes kept free because their network is not ready:
	// that is a symptom.
	notReadyTaint = regexp.MustCompile(`node\.kubernetes\.io/(?:network-unavailable|not-ready)|node\.cilium\.io/agent-not-ready|node\.cloudprovider`)
)

var _ = Register(Rule{
	Code:  NotNetworkScheduling,
	Title: "the pod is not scheduled: no node fits it",
	Hint:  "A Pending pod without a node has not met the network yet.",
	Fix: []string{
		"kubectl describe pod <pod>   # the scheduler's event lists why each node was refused",
		"kubectl describe nodes | grep -e Taints -e Unschedulable -A6 'Allocated resources'",
	},
	Refutes: "the pod having a node (spec.nodeName)",
	Looks:   []fact.Sort{fact.PodStatus},
	Match: func(f *fact.Facts) []Finding {
		said := current(f, f.Said(unschedulable))
		if ofDNS := matching(without(said, notReadyTaint), aboutDNS); len(ofDNS) > 0 && unstarted(f, withoutNode) {
			found := cite(0.93, ofDNS)
			found.Title = "CoreDNS is not scheduled: no node fits it"
			return some(found)
		}
		found := some(ofNow(f, without(said, notReadyTaint), withoutNode))
		found = append(found, some(cite(scopedTree(f, 0.88, 0.5), without(said, notReadyTaint)))...)
		return append(found, some(cite(0.4, matching(said, notReadyTaint)))...)
	},
})

var (
	sandboxRuntime = fact.Say("the runtime cannot start a container for reasons of the node, not of the network",
		`expected cgroupsPath to be of format`, `cgroup ?driver.{0,120}(?:different|mismatch|not match|misconfig)`, `misconfiguration: kubelet cgroup driver`,
		`failed to create (?:containerd task|shim(?: task)?|runc|new (?:parent|OS) (?:process|container))`, `OCI runtime (?:create|start) failed`, `runc (?:create|run|did not terminate)`,
		`cannot find cgroup mount|cgroup mountpoint does not exist|no such (?:file or directory|device).{0,30}/sys/fs/cgroup|/sys/fs/cgroup\S*: (?:no such|permission|read-only|device or resource busy|no space)`,
		`(?:unable to|failed to|cannot|error) (?:apply|set|write|setting) cgroup`, `missing cgroups: `, `failed to (?:set|apply|find) .{0,40}cgroup`,
		`no space left on device`, `disk quota exceeded`, `too many open files`, `cannot allocate memory`, `resource temporarily unavailable`,
		`(?:no runtime for|runtime handler|RuntimeClass) "?[\w.-]*"? (?:is configured|not (?:found|supported|configured))`, `RuntimeHandler "[^"]*" not supported`,
		`seccomp.{0,100}(?:fail|error|not (?:supported|found|permitted)|invalid)`, `apparmor.{0,100}(?:fail|error|not (?:supported|found|loaded)|denied)`,
		`failed to (?:mount|create|prepare) .{0,100}(?:rootfs|overlay|snapshot)`, `ttrpc: closed`, `shim.{0,60}(?:exited|died) unexpectedly`,
		`container init (?:caused|was OOM|exited)|process_linux\.go:\d+`, `write /proc/self/attr/keycreate`, `bpf_prog_query`, `Delegation not available for unit type`,
		`failed to (?:start|create) sandbox (?:container )?task`, `unable to start unit .{0,80}(?:scope|slice)`, `dbus: connection closed|failed to connect to dbus`,
		`read-only file system`, `failed to create pod cgroup|failed to ensure that the pod.{0,60}cgroups`, `exec: \S*(?:runc|containerd-shim\S*)\S*: (?:executable file not found|no such file)`,
	)
	mounts = fact.Say("a volume is not there",
		`FailedMount`, `FailedAttachVolume`, `MountVolume\.\w+ failed`, `unable to (?:attach or )?mount volumes`, `Multi-Attach error`,
	)
	// ownCommand matches containers whose own command is wrong.
	ownCommand = regexp.MustCompile(`(?i)starting container process caused:? "?exec|exec: "[^"]*": (?:executable file not found|stat|permission denied|is a directory)|unable to start container process: exec|exec format error`)
)

var _ = Register(Rule{
	Code:       NotNetworkRuntime,
	Title:      "the runtime cannot start the sandbox or container for reasons of the node, not of the network",
	Hint:       "Cgroups, runc, disks and security modules fail before or beside the network.",
	Suppresses: []Code{NotNetworkApplication, SandboxStale},
	Fix: []string{
		"crictl info | grep -i systemdCgroup; grep cgroupDriver /var/lib/kubelet/config.yaml   # on <node>: the same driver in both",
		"df -h / /var/lib/containerd; journalctl -u containerd -n 50   # on <node>: room, and the runtime's own words",
	},
	Refutes: "a container without network (hostNetwork) starting on the node",
	Looks:   []fact.Sort{fact.KubeletLog, fact.RuntimeLog},
	Match: func(f *fact.Facts) []Finding {
		said := without(without(without(lately(f, sandboxRetry, f.Said(sandboxRuntime)), ownCommand), pluginText), gaveUp)
		volumes := without(lately(f, sandboxRetry, f.Said(mounts)), missingObject)
		if f.Whole { // only what keeps a pod from starting
			said, volumes = matching(said, startFailure), nil
			said = where(said, func(s fact.Statement) bool { return !aboutSandbox.MatchString(s.Text) || !startedSince(f, s) })
		}
		return append(some(cite(scopedTree(f, 0.86, 0.7), said)), some(cite(0.7, volumes))...)
	},
})

// missingObject matches volumes whose ConfigMap or Secret does not exist: that is
// the application's.
var missingObject = regexp.MustCompile(`(?i)(?:configmap|secret)s? "[^"]+" not found|references non-existent`)

// startFailure matches what the kubelet says when a sandbox or container cannot
// be started.
var startFailure = regexp.MustCompile(`(?i)(?:Create|Run)PodSandbox|FailedCreatePodSandBox|create pod sandbox|StartContainer|CreateContainerError|RunContainerError|failed to start sandbox`)

// aboutSandbox matches what is over once the node starts a sandbox again.
var aboutSandbox = regexp.MustCompile(`(?i)sandbox`)

// gaveUp matches what was not seen through because its pod was deleted meanwhile.
var gaveUp = regexp.MustCompile(`(?i)failed to create shim task: context canceled`)

// pluginText matches failures inside a CNI plugin.
var pluginText = regexp.MustCompile(`(?i)plugin type=|networkPlugin cni`)
