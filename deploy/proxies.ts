/** Proxy configurations of ops-data 5 for a public host name and the address that `serve` listens on. */
export const proxies = {
  caddy: (host: string, backend: string): string => `${host} {
  reverse_proxy ${backend} {
    health_uri /readyz
    health_interval 2s
  }
}
`,
  nginx: (host: string, backend: string): string => `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
upstream openagents { server ${backend}; keepalive 64; }
server {
  listen 443 ssl; server_name ${host.replace(/:\d+$/, "")};
  client_max_body_size 17m;
  location / {
    proxy_pass http://openagents; proxy_http_version 1.1;
    proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    proxy_read_timeout 90s;
  }
}
`,
};

export type ProxyName = keyof typeof proxies;
