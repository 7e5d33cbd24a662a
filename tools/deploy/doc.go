// Package deploy tests what the engine is deployed with: the Dockerfile, the
// Kubernetes manifests, and how the two fit the engine. It needs neither Docker
// nor a cluster: the Dockerfile's steps are carried out in a folder, and what the
// manifests start is started there, as the container runtime would.
package deploy
