/** Closer to the end than this counts as at the end: zoomed pages scroll by fractions. */
const NEAR_END_PX = 40;

/** Keeps a scrolling element at its newest line, unless its reader has scrolled up. */
export class FollowNewest {
  #scroller;
  #button;
  #following = true;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLButtonElement} button Offered to a reader who has scrolled up.
   */
  constructor(scroller, button) {
    this.#scroller = scroller;
    this.#button = button;
    scroller.addEventListener("scroll", () => this.#setFollowing(this.#isNearEnd()), { passive: true });
    button.addEventListener("click", () => this.jump());
    new ResizeObserver(() => this.keep()).observe(scroller);
  }

  /** To be called after the content has grown. */
  keep() {
    if (this.#following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    else this.#setFollowing(this.#isNearEnd());
  }

  /** Goes to the newest line and stays there. */
  jump() {
    this.#setFollowing(true);
    this.keep();
  }

  #isNearEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return scrollHeight - clientHeight - scrollTop < NEAR_END_PX;
  }

  /** @param {boolean} following */
  #setFollowing(following) {
    this.#following = following;
    this.#button.hidden = following;
  }
}
