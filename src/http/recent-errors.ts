/** An answer that was this server's fault. */
export interface RecentError {
  /** Epoch ms. */
  at: number;
  route: string;
  status: number;
  code: string | null;
  requestId: string;
}

const most = 50;

/** The newest answers of 500 and above, for operators (http-platform 2.11). */
export class RecentErrors {
  #kept: RecentError[] = [];

  note(error: RecentError): void {
    this.#kept.push(error);
    if (this.#kept.length > most) this.#kept.shift();
  }

  /** The newest first. */
  list(): RecentError[] {
    return this.#kept.toReversed();
  }
}
