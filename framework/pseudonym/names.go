// SPDX-License-Identifier: Apache-2.0

package pseudonym

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Names are those to replace.
type Names struct {
	Clusters, Nodes []string
	// Namespaces are the users' own, Objects what is in them: pods, Services and
	// what makes them.
	Namespaces, Objects []string
}

// spoken are words that components and rules use: an object of that name stays,
// or the copy would say something else.
var spoken = strings.Fields(`account api apiserver app bin bridge ca.crt calico cilium cluster cni config container containerd control-plane coredns cri crio
	data default dns docker error eth0 etcd events failed false flannel host info interface ip iptables ipvs kernel kube kubelet kubernetes lo
	list localhost log main master memory monitoring mtu name namespace network networking networkpolicy nft node none null ok operator pause pod
	pods policy port probe proxy ready root route running runtime sandbox server service storage system test tcp token true udp unknown veth warning
	weave web worker x`)

// uid is an object's or a volume's; it names nothing.
var uid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-`)

func replaceable(name string) bool {
	return len(name) > 1 && !uid.MatchString(name) && !ours.MatchString(name) && !slices.Contains(spoken, name) && strings.Trim(name, "0123456789.:") != ""
}

// ours are namespaces of Kubernetes, of CNIs and of the harness, whose names and
// objects tell nothing of who runs the cluster.
var ours = regexp.MustCompile(`^(?:default|kube-.*|cilium(?:-.*)?|calico-.*|tigera-.*|weave|cniproof-.*|local-path-storage)$`)

// Places where components, kubectl and our own files name a namespace and what
// is in it.
var (
	both = []*regexp.Regexp{
		regexp.MustCompile(`K8S_POD_NAMESPACE=([\w.-]+);.{0,60}?K8S_POD_NAME=([\w.-]+)`),
		regexp.MustCompile(`PodSandboxMetadata\{Name:([\w.-]+),Uid:[^,]*,Namespace:([\w.-]+),`),
		regexp.MustCompile(`(?:pods?|Service|pod "|pod=\\?"|sandbox for "|Pods": \[\s*")[=: "]{0,3}([a-z0-9][a-z0-9.-]*)/([a-z0-9][a-z0-9.-]*)`),
		regexp.MustCompile(`-n ([a-z0-9][a-z0-9-]*) (?:[a-z]+ )?(?:pods? |svc |service )?([a-z0-9][a-z0-9.-]*)`),
	}
	// listed is a line of a table of kubectl whose first column is the namespace.
	listed = regexp.MustCompile(`(?m)^([a-z0-9][a-z0-9-]*) +([a-z0-9][a-z0-9.-]*) +`)
	// object is the metadata of an object in YAML or JSON.
	object = regexp.MustCompile(`(?m)^\s*"?(name|namespace)"?: "?([a-z0-9][a-z0-9.-]*)"?,?$`)
	// described is what kubectl describe begins with.
	described = regexp.MustCompile(`(?m)^(Name|Namespace): +([a-z0-9][a-z0-9.-]*)$`)
)

// Find returns the names of users' namespaces and objects in a tree of files,
// besides those of clusters and nodes, which the caller knows.
func Find(dir string) (Names, error) {
	namespaces, objects := map[string]bool{}, map[string]bool{}
	seen := func(namespace, name string) {
		if namespace != "" && !strings.Contains(namespace, ".") && !ours.MatchString(namespace) {
			namespaces[namespace] = true
			if name != "" {
				objects[name] = true
			}
		}
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(data)
		for i, pattern := range both {
			for _, match := range pattern.FindAllStringSubmatch(text, -1) {
				if i == 1 { // the name comes first
					match[1], match[2] = match[2], match[1]
				}
				seen(match[1], match[2])
			}
		}
		if strings.HasPrefix(text, "NAMESPACE ") {
			for _, match := range listed.FindAllStringSubmatch(text, -1) {
				seen(match[1], match[2])
			}
		}
		for _, pattern := range []*regexp.Regexp{object, described} {
			pairs(pattern.FindAllStringSubmatch(text, -1), seen)
		}
		// pods/<namespace>/<pod>/ of a bundle
		if parts := strings.Split(filepath.ToSlash(path), "/"); slices.Contains(parts, "pods") {
			if at := slices.Index(parts, "pods"); at+2 < len(parts) {
				seen(parts[at+1], parts[at+2])
			}
		}
		return nil
	})
	if err != nil {
		return Names{}, fmt.Errorf("look for names in %s: %w", dir, err)
	}
	return Names{Namespaces: slices.Collect(maps.Keys(namespaces)), Objects: slices.Collect(maps.Keys(objects))}, nil
}

// pairs puts names and namespaces that stand on lines beside each other together;
// kubectl sorts the keys of metadata, so that the name comes first.
func pairs(matches [][]string, seen func(namespace, name string)) {
	name := ""
	for _, match := range matches {
		switch strings.ToLower(match[1]) {
		case "name":
			name = match[2]
		case "namespace":
			seen(match[2], name)
			name = ""
		}
	}
}
